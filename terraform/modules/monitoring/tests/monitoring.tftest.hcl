mock_provider "aws" {
  mock_data "aws_caller_identity" {
    defaults = { account_id = "123456789012" }
  }
  mock_data "aws_region" {
    defaults = { region = "us-east-1" }
  }
  mock_resource "aws_sns_topic" {
    defaults = { arn = "arn:aws:sns:us-east-1:123456789012:topic" }
  }
}

variables {
  name             = "mcp-demo-test"
  kms_key_arn      = "arn:aws:kms:us-east-1:123456789012:key/alarms"
  database         = { identifier = "db", replicas = ["db-replica-1"], storage_gib = 100, memory_gib = 16 }
  cache_node_ids   = ["cache-001", "cache-002"]
  nat_gateway_ids  = { "us-east-1a" = "nat-1" }
  web_acl_name     = "mcp-demo-test"
  runbook_base_url = "https://example.com/docs/runbooks"
}

run "every_alarm_tells_somebody_and_names_its_runbook" {
  command = plan

  assert {
    condition     = length(aws_cloudwatch_metric_alarm.threshold) == 7 + 1 + 6 + 1 && length(aws_cloudwatch_metric_alarm.anomaly) == 2
    error_message = "seven of the database, one of its replica, three of each node of the cache, one of the NAT gateway"
  }
  assert {
    condition     = alltrue([for a in aws_cloudwatch_metric_alarm.threshold : can(regex("https://example.com/docs/runbooks/0[1-7]-[a-z-]+\\.md$", a.alarm_description))])
    error_message = "a runbook for each"
  }
}

run "a_silent_database_is_an_alarm" {
  command = plan

  assert {
    condition     = aws_cloudwatch_metric_alarm.threshold["database-absent"].treat_missing_data == "breaching"
    error_message = "no data is bad news"
  }
}

run "a_database_that_sleeps_at_night_may_be_silent" {
  command = plan
  variables {
    always_on = false
  }

  assert {
    condition     = !contains(keys(aws_cloudwatch_metric_alarm.threshold), "database-absent") && contains(keys(aws_cloudwatch_metric_alarm.threshold), "database-disk-full")
    error_message = "its silence is no alarm, its disk is"
  }
}

run "thresholds_follow_the_disk" {
  command = plan

  assert {
    condition     = aws_cloudwatch_metric_alarm.threshold["database-disk-full"].threshold == 5 * 1024 * 1024 * 1024 && aws_cloudwatch_metric_alarm.threshold["database-disk-full"].comparison_operator == "LessThanThreshold"
    error_message = "below a twentieth of 100 GiB"
  }
}

run "topics_are_encrypted_and_take_from_this_account_alone" {
  command = apply

  assert {
    condition     = alltrue([for t in aws_sns_topic.this : t.kms_master_key_id == var.kms_key_arn])
    error_message = "our key"
  }
  assert {
    condition     = alltrue([for p in aws_sns_topic_policy.this : jsondecode(p.policy).Statement[0].Condition.StringEquals["aws:SourceAccount"] == "123456789012"])
    error_message = "this account alone"
  }
}

run "without_a_pager_there_is_only_the_topic" {
  command = plan

  assert {
    condition     = length(aws_sns_topic_subscription.page) == 0
    error_message = "nobody to call"
  }
}

run "a_pager_in_the_clear_is_refused" {
  command = plan
  variables {
    page_endpoint = "http://events.example.com"
  }
  expect_failures = [var.page_endpoint]
}

run "an_address_that_is_none_is_refused" {
  command = plan
  variables {
    ticket_emails = ["operators"]
  }
  expect_failures = [var.ticket_emails]
}

run "a_base_that_ends_with_a_slash_is_refused" {
  command = plan
  variables {
    runbook_base_url = "https://example.com/"
  }
  expect_failures = [var.runbook_base_url]
}

run "a_database_without_a_disk_is_refused" {
  command = plan
  variables {
    database = { identifier = "db", replicas = [], storage_gib = 0, memory_gib = 16 }
  }
  expect_failures = [var.database]
}

run "values_of_the_wrong_form_are_refused" {
  command = plan
  variables {
    name        = "Alarms"
    kms_key_arn = "alias/aws/sns"
  }
  expect_failures = [
    var.name,
    var.kms_key_arn,
  ]
}

run "the_example_plans" {
  command = plan
  module {
    source = "./examples/basic"
  }
}
