# A private cluster with two nodes that stay and spot nodes that only workers may use.
provider "aws" {
  region = "us-east-1"
}

module "keys" {
  source   = "../../../kms"
  for_each = { cluster = "Secrets and logs of the control plane.", volumes = "Volumes of nodes." }

  name         = "example-${each.key}"
  description  = each.value
  log_groups   = each.key == "cluster"
  auto_scaling = each.key == "volumes"
}

module "vpc" {
  source = "../../../vpc"

  name               = "example"
  cidr               = "10.40.0.0/16"
  availability_zones = ["us-east-1a", "us-east-1b"]
  nat_gateways       = "single"
  kms_key_arn        = module.keys["cluster"].arn
}

module "eks" {
  source = "../.."

  name                     = "example"
  vpc_id                   = module.vpc.id
  control_plane_subnet_ids = module.vpc.intra_subnet_ids
  node_subnet_ids          = module.vpc.private_subnet_ids
  secrets_kms_key_arn      = module.keys["cluster"].arn
  volumes_kms_key_arn      = module.keys["volumes"].arn

  access = {
    operators = { principal_arn = "arn:aws:iam::123456789012:role/operators", policy = "AmazonEKSClusterAdminPolicy" }
    readers   = { principal_arn = "arn:aws:iam::123456789012:role/developers", policy = "AmazonEKSViewPolicy", namespaces = ["mcp-demo"] }
  }

  node_groups = {
    server = { instance_types = ["t3.large"], min_size = 2, max_size = 4, desired_size = 2 }
    worker = {
      instance_types = ["m5.large", "m5a.large", "m6i.large"]
      capacity_type  = "SPOT"
      min_size       = 0
      max_size       = 4
      desired_size   = 1
      labels         = { workload = "worker" }
      taints         = [{ key = "workload", value = "worker", effect = "NO_SCHEDULE" }]
    }
  }
}

output "cluster" {
  description = "For `aws eks update-kubeconfig --name`."
  value       = module.eks.name
}
