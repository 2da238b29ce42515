mock_provider "aws" {
  mock_data "aws_caller_identity" {
    defaults = { account_id = "123456789012" }
  }
  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }
  mock_data "aws_region" {
    defaults = { region = "us-east-1" }
  }
}

variables {
  name        = "mcp-demo-test-database"
  description = "A test's key."
}

run "iam_of_the_account_decides_and_nobody_else_is_named" {
  command = plan

  assert {
    condition     = [for s in jsondecode(aws_kms_key.this.policy).Statement : s.Sid] == ["IamPoliciesOfThisAccountDecide"]
    error_message = "a key with no other use must name the account alone"
  }
  assert {
    condition     = aws_kms_key.this.enable_key_rotation
    error_message = "the key must rotate"
  }
}

run "services_are_bound_to_the_account" {
  command = plan

  variables {
    services   = ["cloudwatch.amazonaws.com"]
    log_groups = true
  }

  assert {
    condition     = jsondecode(aws_kms_key.this.policy).Statement[1].Condition.StringEquals["aws:SourceAccount"] == "123456789012"
    error_message = "a service must act for this account alone"
  }
  assert {
    condition     = jsondecode(aws_kms_key.this.policy).Statement[2].Condition.ArnLike["kms:EncryptionContext:aws:logs:arn"] == "arn:aws:logs:us-east-1:123456789012:log-group:*"
    error_message = "log groups of other accounts must be left out"
  }
}

run "auto_scaling_may_only_pass_grants_on_to_aws" {
  command = plan

  variables {
    auto_scaling = true
  }

  assert {
    condition     = jsondecode(aws_kms_key.this.policy).Statement[2].Condition.Bool["kms:GrantIsForAWSResource"] == "true"
    error_message = "grants must be for AWS resources"
  }
}

run "a_name_that_aws_keeps_is_refused" {
  command = plan
  variables {
    name = "aws-something"
  }
  expect_failures = [var.name]
}

run "a_principal_that_is_no_service_is_refused" {
  command = plan
  variables {
    services = ["*"]
  }
  expect_failures = [var.services]
}

run "a_window_too_short_is_refused" {
  command = plan
  variables {
    deletion_window_in_days = 1
  }
  expect_failures = [var.deletion_window_in_days]
}

run "the_example_plans" {
  command = plan
  module {
    source = "./examples/basic"
  }
}
