mock_provider "aws" {
  mock_resource "aws_eks_cluster" {
    defaults = {
      identity = [{ oidc = [{ issuer = "https://oidc.eks.us-east-1.amazonaws.com/id/TEST" }] }]
    }
  }
  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }
}

variables {
  name                     = "mcp-demo-test"
  vpc_id                   = "vpc-1"
  control_plane_subnet_ids = ["subnet-1", "subnet-2"]
  node_subnet_ids          = ["subnet-3", "subnet-4"]
  secrets_kms_key_arn      = "arn:aws:kms:us-east-1:123456789012:key/cluster"
  volumes_kms_key_arn      = "arn:aws:kms:us-east-1:123456789012:key/volumes"
  access = {
    operators = { principal_arn = "arn:aws:iam::123456789012:role/operators", policy = "AmazonEKSClusterAdminPolicy" }
    readers   = { principal_arn = "arn:aws:iam::123456789012:role/developers", policy = "AmazonEKSViewPolicy", namespaces = ["mcp-demo"] }
  }
  node_groups = {
    server = { instance_types = ["m5.xlarge"], min_size = 3, max_size = 10, desired_size = 3 }
    worker = {
      instance_types = ["m5.large", "m5a.large", "m6i.large"]
      capacity_type  = "SPOT"
      min_size       = 0
      max_size       = 4
      desired_size   = 1
      taints         = [{ key = "workload", value = "worker", effect = "NO_SCHEDULE" }]
    }
  }
}

run "the_api_server_is_private_logs_everything_and_encrypts_secrets" {
  command = plan

  assert {
    condition     = aws_eks_cluster.this.vpc_config[0].endpoint_private_access && !aws_eks_cluster.this.vpc_config[0].endpoint_public_access
    error_message = "no public endpoint unless networks are named"
  }
  assert {
    condition     = length(aws_eks_cluster.this.enabled_cluster_log_types) == 5
    error_message = "all five logs of the control plane"
  }
  assert {
    condition     = aws_eks_cluster.this.encryption_config[0].provider[0].key_arn == var.secrets_kms_key_arn
    error_message = "Secrets must be encrypted with our key"
  }
  assert {
    condition     = aws_eks_cluster.this.access_config[0].authentication_mode == "API" && !aws_eks_cluster.this.access_config[0].bootstrap_cluster_creator_admin_permissions
    error_message = "access entries alone, and none for whoever made the cluster"
  }
}

run "nodes_ask_for_a_session_within_one_hop_and_have_encrypted_volumes" {
  command = plan

  assert {
    condition = alltrue([for t in aws_launch_template.node :
    t.metadata_options[0].http_tokens == "required" && t.metadata_options[0].http_put_response_hop_limit == 1])
    error_message = "IMDSv2 with a hop limit of 1"
  }
  assert {
    condition = alltrue([for t in aws_launch_template.node :
    t.block_device_mappings[0].ebs[0].encrypted == "true" && t.block_device_mappings[0].ebs[0].kms_key_id == var.volumes_kms_key_arn])
    error_message = "volumes must be encrypted with our key"
  }
}

run "workers_are_on_spot_nodes_that_nobody_else_uses" {
  command = plan

  assert {
    condition     = aws_eks_node_group.this["worker"].capacity_type == "SPOT" && one(aws_eks_node_group.this["worker"].taint).effect == "NO_SCHEDULE"
    error_message = "spot, with a taint"
  }
}

run "network_policies_are_enforced" {
  command = plan

  assert {
    condition     = jsondecode(aws_eks_addon.before_nodes["vpc-cni"].configuration_values).enableNetworkPolicy == "true"
    error_message = "without the agent NetworkPolicies do nothing"
  }
}

run "readers_stay_in_their_namespace" {
  command = plan

  assert {
    condition     = aws_eks_access_policy_association.this["readers"].access_scope[0].type == "namespace" && aws_eks_access_policy_association.this["operators"].access_scope[0].type == "cluster"
    error_message = "a list of namespaces must narrow the entry"
  }
}

run "named_networks_open_the_public_endpoint" {
  command = plan
  variables {
    public_access_cidrs = ["198.51.100.0/24"]
  }

  assert {
    condition     = aws_eks_cluster.this.vpc_config[0].endpoint_public_access && aws_eks_cluster.this.vpc_config[0].public_access_cidrs == toset(["198.51.100.0/24"])
    error_message = "open to these networks alone"
  }
}

run "the_whole_internet_is_refused" {
  command = plan
  variables {
    public_access_cidrs = ["0.0.0.0/0"]
  }
  expect_failures = [var.public_access_cidrs]
}

run "a_patch_level_is_refused" {
  command = plan
  variables {
    kubernetes_version = "1.35.1"
  }
  expect_failures = [var.kubernetes_version]
}

run "spot_nodes_of_one_type_are_refused" {
  command = plan
  variables {
    node_groups = { worker = { instance_types = ["m5.large"], capacity_type = "SPOT", min_size = 0, max_size = 2, desired_size = 1 } }
  }
  expect_failures = [var.node_groups]
}

run "sizes_out_of_order_are_refused" {
  command = plan
  variables {
    node_groups = { server = { instance_types = ["m5.large"], min_size = 3, max_size = 2, desired_size = 3 } }
  }
  expect_failures = [var.node_groups]
}

run "an_unknown_access_policy_is_refused" {
  command = plan
  variables {
    access = { everyone = { principal_arn = "arn:aws:iam::123456789012:role/everyone", policy = "AdministratorAccess" } }
  }
  expect_failures = [var.access]
}

run "one_subnet_for_the_control_plane_is_refused" {
  command = plan
  variables {
    control_plane_subnet_ids = ["subnet-1"]
  }
  expect_failures = [var.control_plane_subnet_ids]
}

run "an_add_on_that_is_not_ours_is_refused" {
  command = plan
  variables {
    addon_versions = { "vpc-cnI" = "v1.20.0-eksbuild.1" }
  }
  expect_failures = [var.addon_versions]
}

run "values_of_the_wrong_form_are_refused" {
  command = plan
  variables {
    name                  = "MCP"
    node_subnet_ids       = []
    secrets_kms_key_arn   = "key/cluster"
    volumes_kms_key_arn   = "key/volumes"
    log_retention_in_days = 7
  }
  expect_failures = [
    var.name,
    var.node_subnet_ids,
    var.secrets_kms_key_arn,
    var.volumes_kms_key_arn,
    var.log_retention_in_days,
  ]
}

run "the_example_plans" {
  command = plan
  module {
    source = "./examples/basic"
  }
}
