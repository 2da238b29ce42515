mock_provider "aws" {}
mock_provider "random" {}

variables {
  name                      = "mcp-demo-test"
  node_type                 = "cache.r5.large"
  vpc_id                    = "vpc-1"
  subnet_ids                = ["subnet-1", "subnet-2"]
  client_security_group_ids = { cluster = "sg-cluster" }
  kms_key_arn               = "arn:aws:kms:us-east-1:123456789012:key/cache"
}

run "it_is_encrypted_on_disk_and_on_the_way" {
  command = plan

  assert {
    condition     = aws_elasticache_replication_group.this.at_rest_encryption_enabled == "true" && aws_elasticache_replication_group.this.kms_key_id == var.kms_key_arn
    error_message = "on disk with our key"
  }
  assert {
    condition     = aws_elasticache_replication_group.this.transit_encryption_enabled && aws_elasticache_replication_group.this.transit_encryption_mode == "required"
    error_message = "TLS, and nothing beside it"
  }
}

run "another_zone_takes_over_by_itself" {
  command = plan

  assert {
    condition     = aws_elasticache_replication_group.this.automatic_failover_enabled && aws_elasticache_replication_group.this.multi_az_enabled
    error_message = "two nodes in two zones"
  }
  assert {
    condition     = output.node_ids == ["mcp-demo-test-001", "mcp-demo-test-002"]
    error_message = "names as CloudWatch has them"
  }
}

run "nobody_comes_in_without_a_password_and_the_server_administers_nothing" {
  command = plan

  assert {
    condition     = startswith(aws_elasticache_user.default.access_string, "off ")
    error_message = "the default user must be off"
  }
  assert {
    condition     = strcontains(aws_elasticache_user.server.access_string, "-@admin") && aws_elasticache_user.server.authentication_mode[0].type == "password"
    error_message = "a password, and no administration"
  }
}

run "logs_hold_no_arguments_of_commands" {
  command = plan

  assert {
    condition     = [for l in aws_elasticache_replication_group.this.log_delivery_configuration : l.log_type] == ["engine-log"]
    error_message = "the slow log would hold texts of documents"
  }
}

run "one_node_has_nobody_to_take_over" {
  command = plan
  variables {
    nodes = 1
  }

  assert {
    condition     = !aws_elasticache_replication_group.this.automatic_failover_enabled && !aws_elasticache_replication_group.this.multi_az_enabled
    error_message = "AWS refuses failover with one node"
  }
}

run "no_node_is_refused" {
  command = plan
  variables {
    nodes = 0
  }
  expect_failures = [var.nodes]
}

run "a_type_of_rds_is_refused" {
  command = plan
  variables {
    node_type = "db.r5.large"
  }
  expect_failures = [var.node_type]
}

run "an_old_redis_is_refused" {
  command = plan
  variables {
    engine_version = "6.2"
  }
  expect_failures = [var.engine_version]
}

run "values_of_the_wrong_form_are_refused" {
  command = plan
  variables {
    name                    = "mcp--demo"
    subnet_ids              = ["subnet-1"]
    kms_key_arn             = "key/cache"
    snapshot_retention_days = -1
    log_retention_in_days   = 7
  }
  expect_failures = [
    var.name,
    var.subnet_ids,
    var.kms_key_arn,
    var.snapshot_retention_days,
    var.log_retention_in_days,
  ]
}

run "the_example_plans" {
  command = plan
  module {
    source = "./examples/basic"
  }
}
