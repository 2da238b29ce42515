# A list that counts for its first days.
provider "aws" {
  region = "us-east-1"
}

module "key" {
  source = "../../../kms"

  name        = "example-logs"
  description = "Logs of refused requests."
  log_groups  = true
}

module "waf" {
  source = "../.."

  name        = "example"
  kms_key_arn = module.key.arn
  count_only  = true
}

output "arn" {
  description = "For the ingress."
  value       = module.waf.arn
}
