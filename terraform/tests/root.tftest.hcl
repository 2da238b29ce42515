# What the variables of an environment may not say. What an environment becomes is checked in its plan
# (scripts/verify/terraform/plan.py).

mock_provider "aws" {
  mock_resource "aws_kms_key" {
    defaults = { arn = "arn:aws:kms:us-east-1:123456789012:key/test" }
  }
  mock_resource "aws_eks_cluster" {
    defaults = {
      identity              = [{ oidc = [{ issuer = "https://oidc.eks.us-east-1.amazonaws.com/id/TEST" }] }]
      certificate_authority = [{ data = "dGVzdA==" }]
    }
  }
  mock_resource "aws_eks_node_group" {
    defaults = { resources = [{ autoscaling_groups = [{ name = "test" }] }] }
  }
}
mock_provider "aws" {
  alias = "second"
  mock_resource "aws_kms_key" {
    defaults = { arn = "arn:aws:kms:us-west-2:123456789012:key/test" }
  }
}
mock_provider "random" {}

variables {
  environment   = "prod"
  account_id    = "123456789012"
  region        = "us-east-1"
  second_region = "us-west-2"
  host          = "rag.example.com"
  owner         = "platform@example.com"

  network = {
    cidr                = "10.30.0.0/16"
    availability_zones  = ["us-east-1a", "us-east-1b", "us-east-1c"]
    nat_gateways        = "per_az"
    interface_endpoints = ["secretsmanager"]
  }
  cluster = {
    servers = { instance_types = ["m5.xlarge"], min_size = 3, max_size = 10 }
    workers = { instance_types = ["m5.xlarge", "m5a.xlarge", "m6i.xlarge"], max_size = 10 }
  }
  database = {
    instance_class           = "db.r5.large"
    memory_gib               = 16
    storage                  = { gib = 100, max_gib = 1000 }
    multi_az                 = true
    replicas                 = 1
    backup_retention_days    = 35
    maintenance_work_mem_mib = 4096
  }
  initial_master_password = "0123456789abcdef0123456789abcdef"
  cache                   = { node_type = "cache.r5.large", nodes = 2 }
  backups                 = { locked_days = 35, copies = true }
  alerts                  = { emails = ["operators@example.com"], runbook_base_url = "https://example.com/docs/runbooks" }
  cost                    = { monthly_budget_usd = 2900, anomaly_threshold_usd = 100 }
}

run "production_plans" {
  command = plan

  assert {
    condition     = length(output.secret_names) == 8 && contains(output.secret_names, "/mcp-demo/prod/database/replica-urls")
    error_message = "seven secrets, the replicas' among them"
  }
}

run "the_overlays_get_the_names_that_they_read" {
  command = apply

  assert {
    condition = [for line in split("\n", trimspace(output.overlay_environment)) : split("=", line)[0] if !startswith(line, "#")] == [
      "ENVIRONMENT", "AWS_REGION", "VPC_CIDR", "HOST", "BACKUP_BUCKET", "BACKUP_ROLE_ARN", "SECRETS_ROLE_ARN",
    ]
    error_message = "k8s/components/environment and scripts/terraform-outputs.sh know these names"
  }
}

run "the_server_and_its_workers_have_no_role" {
  command = plan

  assert {
    condition     = toset([for a in local.accounts : a.service_account]) == toset(["mcp-backup", "mcp-secrets"])
    error_message = "a role for the backup and for External Secrets alone"
  }
}

run "an_environment_without_replicas_needs_no_password" {
  command = plan
  variables {
    environment             = "staging"
    initial_master_password = null
    database = {
      instance_class           = "db.t3.medium"
      memory_gib               = 4
      storage                  = { gib = 50, max_gib = 200 }
      multi_az                 = false
      backup_retention_days    = 7
      maintenance_work_mem_mib = 1024
    }
  }

  assert {
    condition     = length(output.secret_names) == 7
    error_message = "no secret for replicas that are not there"
  }
}

run "production_with_one_nat_gateway_is_refused" {
  command = plan
  variables {
    network = {
      cidr                = "10.30.0.0/16"
      availability_zones  = ["us-east-1a", "us-east-1b", "us-east-1c"]
      nat_gateways        = "single"
      interface_endpoints = ["secretsmanager"]
    }
  }
  expect_failures = [var.network]
}

run "zones_of_another_region_are_refused" {
  command = plan
  variables {
    network = {
      cidr                = "10.30.0.0/16"
      availability_zones  = ["us-east-1a", "us-east-1b", "eu-central-1a"]
      nat_gateways        = "per_az"
      interface_endpoints = ["secretsmanager"]
    }
  }
  expect_failures = [var.network]
}

run "production_on_spot_nodes_is_refused" {
  command = plan
  variables {
    cluster = {
      servers = { instance_types = ["m5.xlarge", "m5a.xlarge", "m6i.xlarge"], capacity_type = "SPOT", min_size = 3, max_size = 10 }
      workers = { instance_types = ["m5.xlarge", "m5a.xlarge", "m6i.xlarge"], max_size = 10 }
    }
  }
  expect_failures = [var.cluster]
}

run "production_in_one_zone_is_refused" {
  command = plan
  variables {
    database = {
      instance_class           = "db.r5.large"
      memory_gib               = 16
      storage                  = { gib = 100, max_gib = 1000 }
      multi_az                 = false
      replicas                 = 1
      backup_retention_days    = 35
      maintenance_work_mem_mib = 4096
    }
  }
  expect_failures = [var.database]
}

run "index_builds_that_take_half_the_memory_are_refused" {
  command = plan
  variables {
    database = {
      instance_class           = "db.r5.large"
      memory_gib               = 16
      storage                  = { gib = 100, max_gib = 1000 }
      multi_az                 = true
      replicas                 = 1
      backup_retention_days    = 35
      maintenance_work_mem_mib = 8192
    }
  }
  expect_failures = [var.database]
}

run "replicas_without_an_endpoint_for_the_rotation_are_refused" {
  command = plan
  variables {
    network = {
      cidr               = "10.30.0.0/16"
      availability_zones = ["us-east-1a", "us-east-1b", "us-east-1c"]
      nat_gateways       = "per_az"
    }
  }
  expect_failures = [var.database]
}

run "production_with_one_cache_node_is_refused" {
  command = plan
  variables {
    cache = { node_type = "cache.r5.large", nodes = 1 }
  }
  expect_failures = [var.cache]
}

run "production_without_copies_is_refused" {
  command = plan
  variables {
    backups = { locked_days = 35, copies = false }
  }
  expect_failures = [var.backups]
}

run "a_replica_that_would_have_to_sleep_is_refused" {
  command = plan
  variables {
    environment = "staging"
    cost = {
      monthly_budget_usd    = 600
      anomaly_threshold_usd = 50
      working_hours         = { start = "0 7 ? * MON-FRI *", stop = "0 19 ? * MON-FRI *", time_zone = "Europe/Berlin" }
    }
  }
  expect_failures = [var.cost]
}

run "one_region_for_both_is_refused" {
  command = plan
  variables {
    second_region = "us-east-1"
  }
  expect_failures = [var.second_region]
}

run "a_host_without_a_dot_is_refused" {
  command = plan
  variables {
    host = "rag"
  }
  expect_failures = [var.host]
}

run "an_unknown_environment_is_refused" {
  command = plan
  variables {
    environment = "test"
  }
  expect_failures = [var.environment]
}

run "an_account_that_is_none_is_refused" {
  command = plan
  variables {
    account_id = "prod"
  }
  expect_failures = [var.account_id]
}
