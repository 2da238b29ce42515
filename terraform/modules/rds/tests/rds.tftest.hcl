mock_provider "aws" {
  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }
  mock_data "aws_region" {
    defaults = { region = "us-east-1" }
  }
  mock_data "aws_vpc" {
    defaults = { cidr_block = "10.40.0.0/16" }
  }
}

variables {
  name                      = "mcp-demo-test"
  instance_class            = "db.r5.large"
  storage                   = { gib = 100, max_gib = 500 }
  vpc_id                    = "vpc-1"
  subnet_ids                = ["subnet-1", "subnet-2", "subnet-3"]
  client_security_group_ids = { cluster = "sg-cluster" }
  kms_key_arn               = "arn:aws:kms:us-east-1:123456789012:key/database"
}

run "the_writer_is_encrypted_private_protected_and_in_two_zones" {
  command = plan

  assert {
    condition     = aws_db_instance.this.storage_encrypted && aws_db_instance.this.kms_key_id == var.kms_key_arn && !aws_db_instance.this.publicly_accessible
    error_message = "encrypted with our key, not public"
  }
  assert {
    condition     = aws_db_instance.this.multi_az && aws_db_instance.this.deletion_protection && aws_db_instance.this.backup_retention_period == 14 && !aws_db_instance.this.skip_final_snapshot
    error_message = "two zones, protected, restorable for two weeks, with a final snapshot"
  }
  assert {
    condition     = aws_db_instance.this.iam_database_authentication_enabled && aws_db_instance.this.performance_insights_enabled && aws_db_instance.this.monitoring_interval == 60
    error_message = "IAM logins, Performance Insights, enhanced monitoring"
  }
  assert {
    condition     = toset(aws_db_instance.this.enabled_cloudwatch_logs_exports) == toset(["postgresql", "upgrade"])
    error_message = "logs are exported"
  }
}

run "rds_manages_the_master_password_and_changes_it" {
  command = plan

  assert {
    condition     = aws_db_instance.this.manage_master_user_password && aws_db_instance.this.master_user_secret_kms_key_id == var.kms_key_arn
    error_message = "managed, with our key"
  }
  assert {
    condition     = aws_secretsmanager_secret_rotation.managed[0].rotation_rules[0].automatically_after_days == 30 && length(aws_secretsmanager_secret.master) == 0
    error_message = "rotated by RDS every 30 days"
  }
}

run "parameters_force_tls_and_keep_content_out_of_the_log" {
  command = plan

  assert {
    condition = { for p in aws_db_parameter_group.this.parameter : p.name => p.value if contains(["rds.force_ssl", "log_parameter_max_length", "maintenance_work_mem"], p.name) } == {
      "rds.force_ssl"            = "1"
      "log_parameter_max_length" = "0"
      "maintenance_work_mem"     = "524288"
    }
    error_message = "TLS, no parameters in the log, memory for HNSW in KiB"
  }
  assert {
    condition     = alltrue([for p in aws_db_parameter_group.this.parameter : (p.apply_method == "pending-reboot") == contains(["rds.logical_replication", "shared_preload_libraries"], p.name)])
    error_message = "static parameters wait for a restart, or the apply fails"
  }
  assert {
    condition     = aws_db_parameter_group.this.family == "postgres18"
    error_message = "the family follows the version"
  }
}

run "only_named_groups_connect" {
  command = plan

  assert {
    condition     = keys(aws_vpc_security_group_ingress_rule.clients) == ["cluster"] && aws_vpc_security_group_ingress_rule.clients["cluster"].referenced_security_group_id == "sg-cluster"
    error_message = "by security group, never by address"
  }
}

run "with_replicas_the_password_is_ours_and_changed_by_a_function" {
  command = plan
  variables {
    replicas                = 1
    initial_master_password = "0123456789abcdef0123456789abcdef"
  }

  assert {
    condition     = aws_db_instance.this.manage_master_user_password == null && aws_db_instance.this.password_wo_version == 1
    error_message = "RDS makes no replica of an instance whose password it manages"
  }
  assert {
    condition     = aws_secretsmanager_secret_rotation.master[0].rotate_immediately && aws_secretsmanager_secret_rotation.master[0].rotation_rules[0].automatically_after_days == 30
    error_message = "the password that was given once is changed at once"
  }
  assert {
    condition     = aws_db_instance.replica[0].storage_encrypted && !aws_db_instance.replica[0].publicly_accessible && aws_db_instance.replica[0].deletion_protection
    error_message = "a replica is as safe as the writer"
  }
}

run "backups_are_copied_to_a_second_region" {
  command = plan
  variables {
    backup_copy = { region = "us-west-2", kms_key_arn = "arn:aws:kms:us-west-2:123456789012:key/database" }
  }

  assert {
    condition     = aws_db_instance_automated_backups_replication.copy[0].region == "us-west-2" && aws_db_instance_automated_backups_replication.copy[0].retention_period == 14
    error_message = "as far back there as here"
  }
}

run "replicas_without_a_password_are_refused" {
  command = plan
  variables {
    replicas = 1
  }
  expect_failures = [aws_db_instance.this]
}

run "a_short_password_is_refused" {
  command = plan
  variables {
    replicas                = 1
    initial_master_password = "short"
  }
  expect_failures = [var.initial_master_password]
}

run "an_old_postgresql_is_refused" {
  command = plan
  variables {
    engine_version = "14.9"
  }
  expect_failures = [var.engine_version]
}

run "a_disk_that_cannot_grow_is_refused" {
  command = plan
  variables {
    storage = { gib = 100, max_gib = 100 }
  }
  expect_failures = [var.storage]
}

run "no_backups_are_refused" {
  command = plan
  variables {
    backup_retention_days = 0
  }
  expect_failures = [var.backup_retention_days]
}

run "a_class_of_ec2_is_refused" {
  command = plan
  variables {
    instance_class = "r5.large"
  }
  expect_failures = [var.instance_class]
}

run "an_administrator_that_everybody_guesses_is_refused" {
  command = plan
  variables {
    master_username = "postgres"
  }
  expect_failures = [var.master_username]
}

run "one_zone_is_refused" {
  command = plan
  variables {
    subnet_ids = ["subnet-1"]
  }
  expect_failures = [var.subnet_ids]
}

run "values_of_the_wrong_form_are_refused" {
  command = plan
  variables {
    name                          = "mcp--demo"
    replicas                      = 6
    kms_key_arn                   = "alias/aws/rds"
    database_name                 = "mcp-rag"
    master_password_rotation_days = 365
    maintenance_work_mem_mib      = 32
    parallel_maintenance_workers  = -1
    log_retention_in_days         = 7
  }
  expect_failures = [
    var.name,
    var.replicas,
    var.kms_key_arn,
    var.database_name,
    var.master_password_rotation_days,
    var.maintenance_work_mem_mib,
    var.parallel_maintenance_workers,
    var.log_retention_in_days,
  ]
}

run "the_example_plans" {
  command = plan
  module {
    source = "./examples/basic"
  }
}
