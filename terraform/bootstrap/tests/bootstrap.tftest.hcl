mock_provider "aws" {}

run "the_bucket_is_named_as_the_backends_expect" {
  command = plan
  variables {
    account_id = "123456789012"
  }

  assert {
    condition     = output.state_bucket == "mcp-demo-terraform-state-123456789012"
    error_message = "environments/*.s3.tfbackend name it"
  }
}

run "an_account_that_is_none_is_refused" {
  command = plan
  variables {
    account_id = "demo"
  }
  expect_failures = [var.account_id]
}

run "the_example_plans" {
  command = plan
  module {
    source = "./examples/basic"
  }
}
