mock_provider "aws" {
  mock_resource "aws_wafv2_web_acl" {
    defaults = { arn = "arn:aws:wafv2:us-east-1:123456789012:regional/webacl/test/1" }
  }
}

variables {
  name        = "mcp-demo-test"
  kms_key_arn = "arn:aws:kms:us-east-1:123456789012:key/logs"
}

run "documents_may_be_long_and_hold_markup" {
  command = plan

  assert {
    condition     = contains([for o in one([for r in aws_wafv2_web_acl.this.rule : r if r.name == "AWSManagedRulesCommonRuleSet"]).statement[0].managed_rule_group_statement[0].rule_action_override : o.name], "SizeRestrictions_BODY")
    error_message = "uploads beyond 8 KiB would be refused"
  }
}

run "one_address_has_a_limit_and_learns_of_it" {
  command = plan

  assert {
    condition     = one([for r in aws_wafv2_web_acl.this.rule : r if r.name == "rate-of-one-address"]).action[0].block[0].custom_response[0].response_code == 429
    error_message = "429, as the server's own quotas answer"
  }
}

run "the_log_holds_refusals_without_credentials_and_questions" {
  command = plan

  assert {
    condition     = aws_wafv2_web_acl_logging_configuration.this.logging_filter[0].default_behavior == "DROP" && length(aws_wafv2_web_acl_logging_configuration.this.redacted_fields) == 3
    error_message = "refusals alone; authorization, cookies and queries redacted"
  }
  assert {
    condition     = alltrue([for r in aws_wafv2_web_acl.this.rule : !r.visibility_config[0].sampled_requests_enabled])
    error_message = "samples would hold what people ask"
  }
  assert {
    condition     = startswith(aws_cloudwatch_log_group.this.name, "aws-waf-logs-")
    error_message = "WAF takes no other name"
  }
}

run "a_new_deployment_may_only_count" {
  command = plan
  variables {
    count_only = true
  }

  assert {
    condition     = alltrue([for r in aws_wafv2_web_acl.this.rule : length(r.override_action[0].count) == 1 if startswith(r.name, "AWS")])
    error_message = "managed rules must count"
  }
}

run "too_low_a_limit_is_refused" {
  command = plan
  variables {
    requests_per_5_minutes = 10
  }
  expect_failures = [var.requests_per_5_minutes]
}

run "blocking_everybody_is_refused" {
  command = plan
  variables {
    blocked_addresses = ["0.0.0.0/0"]
  }
  expect_failures = [var.blocked_addresses]
}

run "something_other_than_a_network_is_refused" {
  command = plan
  variables {
    blocked_addresses = ["example.com"]
  }
  expect_failures = [var.blocked_addresses]
}

run "values_of_the_wrong_form_are_refused" {
  command = plan
  variables {
    name                  = "a"
    kms_key_arn           = "alias/aws/logs"
    log_retention_in_days = 1
  }
  expect_failures = [
    var.name,
    var.kms_key_arn,
    var.log_retention_in_days,
  ]
}

run "the_example_plans" {
  command = plan
  module {
    source = "./examples/basic"
  }
}
