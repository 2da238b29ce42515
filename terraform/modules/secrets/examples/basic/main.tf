# The three secrets of an environment.
provider "aws" {
  region = "us-east-1"
}

module "key" {
  source = "../../../kms"

  name        = "example-secrets"
  description = "Secrets of the example."
}

module "secrets" {
  source = "../.."

  kms_key_arn = module.key.arn
  secrets = {
    "/mcp-demo/dev/database/url"    = "Connection string of the server's login."
    "/mcp-demo/dev/api-keys/openai" = "Key of the chat model."
    "/mcp-demo/dev/jwt-secret"      = "What HS256 tokens are signed with."
  }
}

output "names" {
  description = "To be put into ExternalSecrets."
  value       = module.secrets.names
}
