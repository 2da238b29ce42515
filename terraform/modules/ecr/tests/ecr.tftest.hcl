mock_provider "aws" {
  mock_data "aws_caller_identity" {
    defaults = { account_id = "123456789012" }
  }
}

variables {
  name        = "mcp-demo/mcp-rag"
  kms_key_arn = "arn:aws:kms:us-east-1:123456789012:key/images"
}

run "tags_stay_images_are_scanned_and_encrypted" {
  command = plan

  assert {
    condition     = aws_ecr_repository.this.image_tag_mutability == "IMMUTABLE" && aws_ecr_repository.this.image_scanning_configuration[0].scan_on_push
    error_message = "immutable and scanned"
  }
  assert {
    condition     = aws_ecr_repository.this.encryption_configuration[0].kms_key == var.kms_key_arn
    error_message = "our key"
  }
}

run "nobody_pushes_unless_named" {
  command = plan

  assert {
    condition     = [for s in jsondecode(aws_ecr_repository_policy.this.policy).Statement : s.Effect] == ["Deny"]
    error_message = "the policy alone lets nobody in"
  }
}

run "ci_pushes_and_rollbacks_find_their_image" {
  command = plan
  variables {
    pushers       = ["arn:aws:iam::123456789012:role/ci"]
    keep_releases = 10
  }

  assert {
    condition     = jsondecode(aws_ecr_repository_policy.this.policy).Statement[1].Principal.AWS == ["arn:aws:iam::123456789012:role/ci"]
    error_message = "CI pushes"
  }
  assert {
    condition     = jsondecode(aws_ecr_lifecycle_policy.this.policy).rules[0].selection.countNumber == 10
    error_message = "ten releases are kept"
  }
}

run "no_release_to_roll_back_to_is_refused" {
  command = plan
  variables {
    keep_releases = 1
  }
  expect_failures = [var.keep_releases]
}

run "everybody_as_pusher_is_refused" {
  command = plan
  variables {
    pushers = ["*"]
  }
  expect_failures = [var.pushers]
}

run "a_name_in_capitals_is_refused" {
  command = plan
  variables {
    name = "MCP"
  }
  expect_failures = [var.name]
}

run "values_of_the_wrong_form_are_refused" {
  command = plan
  variables {
    kms_key_arn   = "alias/aws/ecr"
    untagged_days = 0
  }
  expect_failures = [
    var.kms_key_arn,
    var.untagged_days,
  ]
}

run "the_example_plans" {
  command = plan
  module {
    source = "./examples/basic"
  }
}
