mock_provider "aws" {
  mock_data "aws_caller_identity" {
    defaults = { account_id = "123456789012" }
  }
  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }
}
mock_provider "aws" {
  alias = "second"
}

variables {
  name              = "mcp-demo-test-backups"
  kms_key_arn       = "arn:aws:kms:us-east-1:123456789012:key/backups"
  access_log_bucket = "mcp-demo-test-access-logs"
}

run "nothing_is_public_in_the_clear_or_unversioned" {
  command = plan

  assert {
    condition = (aws_s3_bucket_public_access_block.this.block_public_acls && aws_s3_bucket_public_access_block.this.block_public_policy &&
    aws_s3_bucket_public_access_block.this.ignore_public_acls && aws_s3_bucket_public_access_block.this.restrict_public_buckets)
    error_message = "all four switches"
  }
  assert {
    condition     = [for s in jsondecode(aws_s3_bucket_policy.this.policy).Statement : s.Sid] == ["NothingInTheClear", "NoOldTls"]
    error_message = "TLS alone, and nothing else is allowed by the policy"
  }
  assert {
    condition     = aws_s3_bucket_versioning.this.versioning_configuration[0].status == "Enabled"
    error_message = "versions"
  }
  assert {
    condition     = one(one(aws_s3_bucket_server_side_encryption_configuration.this.rule).apply_server_side_encryption_by_default).kms_master_key_id == var.kms_key_arn
    error_message = "our key"
  }
}

run "a_lock_is_there_from_the_start" {
  command = plan
  variables {
    object_lock = { mode = "COMPLIANCE", days = 35 }
  }

  assert {
    condition     = aws_s3_bucket.this.object_lock_enabled && aws_s3_bucket_object_lock_configuration.this[0].rule[0].default_retention[0].days == 35
    error_message = "locked for 35 days"
  }
}

run "copies_keep_what_is_deleted_here" {
  command = plan
  variables {
    replicate_to = { bucket_arn = "arn:aws:s3:::copy", kms_key_arn = "arn:aws:kms:us-west-2:123456789012:key/copy" }
  }

  assert {
    condition     = aws_s3_bucket_replication_configuration.this[0].rule[0].delete_marker_replication[0].status == "Disabled"
    error_message = "deletions must not be copied"
  }
  assert {
    condition     = jsondecode(aws_iam_role_policy.replication[0].policy).Statement[2].Resource == ["arn:aws:s3:::copy/*"]
    error_message = "the role writes into the copy alone"
  }
}

run "colder_storage_comes_in_order" {
  command = plan
  variables {
    lifecycle_rules = { all = { infrequent_days = 30, archive_days = 90, expire_days = 400 } }
  }

  assert {
    condition     = toset([for t in aws_s3_bucket_lifecycle_configuration.this.rule[0].transition : t.storage_class]) == toset(["STANDARD_IA", "GLACIER_IR"])
    error_message = "two steps"
  }
}

run "a_target_of_access_logs_takes_them_from_this_account" {
  command = plan
  variables {
    kms_key_arn          = null
    access_log_bucket    = null
    receives_access_logs = true
  }

  assert {
    condition     = jsondecode(aws_s3_bucket_policy.this.policy).Statement[2].Condition.StringEquals["aws:SourceAccount"] == "123456789012"
    error_message = "from this account alone"
  }
  assert {
    condition     = one(one(aws_s3_bucket_server_side_encryption_configuration.this.rule).apply_server_side_encryption_by_default).sse_algorithm == "AES256"
    error_message = "S3's own key"
  }
}

run "access_logs_with_our_key_are_refused" {
  command = plan
  variables {
    receives_access_logs = true
  }
  expect_failures = [var.receives_access_logs]
}

run "a_name_with_dots_is_refused" {
  command = plan
  variables {
    name = "mcp.demo"
  }
  expect_failures = [var.name]
}

run "an_unknown_lock_is_refused" {
  command = plan
  variables {
    object_lock = { mode = "SOFT", days = 1 }
  }
  expect_failures = [var.object_lock]
}

run "expiry_before_glacier_has_been_paid_for_is_refused" {
  command = plan
  variables {
    lifecycle_rules = { all = { archive_days = 90, expire_days = 100 } }
  }
  expect_failures = [var.lifecycle_rules]
}

run "colder_storage_too_early_is_refused" {
  command = plan
  variables {
    lifecycle_rules = { all = { infrequent_days = 7 } }
  }
  expect_failures = [var.lifecycle_rules]
}

run "destroying_what_is_locked_is_refused" {
  command = plan
  variables {
    force_destroy = true
    object_lock   = { mode = "GOVERNANCE", days = 1 }
  }
  expect_failures = [var.force_destroy]
}

run "copies_without_a_key_are_refused" {
  command = plan
  variables {
    kms_key_arn  = null
    replicate_to = { bucket_arn = "arn:aws:s3:::copy", kms_key_arn = "arn:aws:kms:us-west-2:123456789012:key/copy" }
  }
  expect_failures = [var.replicate_to]
}

run "the_example_plans" {
  command = plan
  module {
    source = "./examples/basic"
  }
  providers = {
    aws        = aws
    aws.second = aws.second
  }
}
