# The same access for two accounts: one by IRSA, one by Pod Identity.
provider "aws" {
  region = "us-east-1"
}

locals {
  read = [{ sid = "ReadOneSecret", actions = ["secretsmanager:GetSecretValue"], resources = ["arn:aws:secretsmanager:us-east-1:123456789012:secret:/mcp-demo/example/*"] }]
}

module "by_token" {
  source = "../.."

  name              = "example-backup"
  description       = "Backups of the example."
  namespace         = "mcp-demo"
  service_account   = "mcp-backup"
  oidc_provider_arn = "arn:aws:iam::123456789012:oidc-provider/oidc.eks.us-east-1.amazonaws.com/id/EXAMPLE"
  oidc_issuer       = "oidc.eks.us-east-1.amazonaws.com/id/EXAMPLE"
  statements        = local.read
}

module "by_association" {
  source = "../.."

  name            = "example-external-secrets"
  description     = "Reads secrets for the example."
  namespace       = "external-secrets"
  service_account = "external-secrets"
  cluster_name    = "example"
  statements      = local.read
}

output "annotation" {
  description = "eks.amazonaws.com/role-arn of mcp-backup."
  value       = module.by_token.role_arn
}
