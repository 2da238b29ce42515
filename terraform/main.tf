# One environment: a network, a cluster in it, what the server keeps its data in, and what watches them.
# keys.tf, data.tf, identities.tf and operations.tf have the rest; outputs.tf is what k8s/overlays needs.

locals {
  name       = "mcp-demo-${var.environment}"
  namespace  = "mcp-demo"
  production = var.environment == "prod"

  tags = {
    Project     = "mcp-demo"
    Environment = var.environment
    Owner       = var.owner
    ManagedBy   = "terraform"
  }

  log_days = local.production ? 365 : 30
}

module "vpc" {
  source = "./modules/vpc"

  name                       = local.name
  cidr                       = var.network.cidr
  availability_zones         = var.network.availability_zones
  nat_gateways               = var.network.nat_gateways
  interface_endpoints        = var.network.interface_endpoints
  kms_key_arn                = module.keys["logs"].arn
  flow_log_retention_in_days = local.log_days
  tags                       = local.tags
}

module "eks" {
  source = "./modules/eks"

  name                     = local.name
  kubernetes_version       = var.cluster.kubernetes_version
  vpc_id                   = module.vpc.id
  control_plane_subnet_ids = module.vpc.intra_subnet_ids
  node_subnet_ids          = module.vpc.private_subnet_ids
  public_access_cidrs      = var.cluster.public_access_cidrs
  secrets_kms_key_arn      = module.keys["cluster"].arn
  volumes_kms_key_arn      = module.keys["volumes"].arn
  log_retention_in_days    = local.log_days
  access                   = var.cluster.access
  addon_versions           = var.cluster.addon_versions
  deletion_protection      = local.production
  node_groups              = local.node_groups
  tags                     = local.tags
}

locals {
  node_groups = {
    servers = merge(var.cluster.servers, {
      desired_size = var.cluster.servers.min_size
      labels       = { workload = "server" }
    })
    # k8s/components/spot-workers tolerates the taint.
    workers = merge(var.cluster.workers, {
      capacity_type = "SPOT"
      min_size      = 0
      desired_size  = local.production ? 2 : 1
      labels        = { workload = "worker" }
      taints        = [{ key = "mcp-demo/spot", value = "true", effect = "NO_SCHEDULE" }]
    })
  }
}

module "ecr" {
  source   = "./modules/ecr"
  for_each = toset(["mcp-rag", "mcp-rag-ops"])

  name         = "${local.name}/${each.key}"
  kms_key_arn  = module.keys["images"].arn
  pushers      = var.image_pushers
  force_delete = !local.production
  tags         = local.tags
}

module "waf" {
  source = "./modules/waf"

  name                   = local.name
  requests_per_5_minutes = var.web_requests_per_5_minutes
  kms_key_arn            = module.keys["logs"].arn
  log_retention_in_days  = local.log_days
  tags                   = local.tags
}
