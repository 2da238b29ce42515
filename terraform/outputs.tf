output "overlay_environment" {
  description = "What k8s/overlays/ENV/environment.env holds: scripts/terraform-outputs.sh writes it there. Nothing in it is secret."
  value       = <<-EOT
    # Written by scripts/terraform-outputs.sh; nothing here is secret.
    ENVIRONMENT=${var.environment}
    AWS_REGION=${var.region}
    VPC_CIDR=${module.vpc.cidr}
    HOST=${var.host}
    BACKUP_BUCKET=${module.backups.name}
    BACKUP_ROLE_ARN=${module.accounts["backup"].role_arn}
    SECRETS_ROLE_ARN=${module.accounts["external-secrets"].role_arn}
  EOT
}

output "cluster_name" {
  description = "For `aws eks update-kubeconfig --name`."
  value       = module.eks.name
}

output "cluster_endpoint" {
  description = "Address of the API server, from within the network."
  value       = module.eks.endpoint
}

output "image_repositories" {
  description = "Where images are pushed to and pulled from, by name in the manifests."
  value       = { for name, repository in module.ecr : name => repository.repository_url }
}

output "database" {
  description = "Hosts of the writer and the replicas, the database, and the secret with the master password."
  value = {
    address           = module.rds.address
    replica_addresses = module.rds.replica_addresses
    name              = module.rds.database_name
    master_secret_arn = module.rds.master_secret_arn
  }
}

output "cache" {
  description = "Host of the cache, and the user whose password scripts/rotate-secrets.sh changes."
  value       = { address = module.elasticache.address, user_id = module.elasticache.user_id }
}

output "cache_first_url" {
  description = "`redis.url` of the first start, to be put into its secret and then changed."
  value       = module.elasticache.first_url
  sensitive   = true
}

output "secret_names" {
  description = "Secrets that wait for their values."
  value       = module.secrets.names
}

output "network" {
  description = "Zones and subnets, for load balancers and whatever joins the network."
  value = {
    vpc_id             = module.vpc.id
    availability_zones = module.vpc.availability_zones
    private_subnet_ids = module.vpc.private_subnet_ids
    public_subnet_ids  = module.vpc.public_subnet_ids
    nat_public_ips     = module.vpc.nat_public_ips
  }
}

output "web_acl_arn" {
  description = "The firewall; value of the ingress' annotation `alb.ingress.kubernetes.io/wafv2-acl-arn`."
  value       = module.waf.arn
}

output "rotation_policy_arn" {
  description = "Policy of whoever runs scripts/rotate-secrets.sh."
  value       = aws_iam_policy.rotate_secrets.arn
}

output "alert_topics" {
  description = "Topics for what wakes somebody and what waits."
  value       = { page = module.monitoring.page_topic_arn, ticket = module.monitoring.ticket_topic_arn }
}
