mock_provider "aws" {
  mock_data "aws_caller_identity" {
    defaults = { account_id = "123456789012" }
  }
}

variables {
  kms_key_arn = "arn:aws:kms:us-east-1:123456789012:key/secrets"
  secrets = {
    "/mcp-demo/prod/database/url"    = "Connection string of the server's login."
    "/mcp-demo/prod/api-keys/openai" = "Key of the chat model."
  }
}

run "every_secret_has_our_key_and_can_be_had_back" {
  command = plan

  assert {
    condition     = alltrue([for s in aws_secretsmanager_secret.this : s.kms_key_id == var.kms_key_arn && s.recovery_window_in_days == 30])
    error_message = "our key, thirty days"
  }
  assert {
    condition     = keys(output.arns) == ["/mcp-demo/prod/api-keys/openai", "/mcp-demo/prod/database/url"]
    error_message = "ARNs by path"
  }
}

run "other_accounts_and_plain_text_are_denied" {
  command = plan

  assert {
    condition = alltrue([for p in aws_secretsmanager_secret_policy.this : p.block_public_policy &&
    jsondecode(p.policy).Statement[0].Condition.StringNotEquals["aws:PrincipalAccount"] == "123456789012"])
    error_message = "a policy that denies other accounts for every secret"
  }
}

run "copies_have_a_key_of_their_region" {
  command = plan
  variables {
    replica = { region = "us-west-2", kms_key_arn = "arn:aws:kms:us-west-2:123456789012:key/secrets" }
  }

  assert {
    condition     = alltrue([for s in aws_secretsmanager_secret.this : one(s.replica).region == "us-west-2"])
    error_message = "a copy of each"
  }
}

run "a_path_outside_the_convention_is_refused" {
  command = plan
  variables {
    secrets = { "/other/prod/key" = "Something." }
  }
  expect_failures = [var.secrets]
}

run "an_unknown_environment_is_refused" {
  command = plan
  variables {
    secrets = { "/mcp-demo/production/key" = "Something." }
  }
  expect_failures = [var.secrets]
}

run "a_secret_that_nobody_explained_is_refused" {
  command = plan
  variables {
    secrets = { "/mcp-demo/prod/key" = "" }
  }
  expect_failures = [var.secrets]
}

run "a_window_that_aws_does_not_know_is_refused" {
  command = plan
  variables {
    recovery_window_in_days = 3
  }
  expect_failures = [var.recovery_window_in_days]
}

run "values_of_the_wrong_form_are_refused" {
  command = plan
  variables {
    kms_key_arn = "alias/aws/secretsmanager"
  }
  expect_failures = [
    var.kms_key_arn,
  ]
}

run "the_example_plans" {
  command = plan
  module {
    source = "./examples/basic"
  }
}
