provider "aws" {
  region = "us-east-1"
}

module "bootstrap" {
  source = "../.."

  account_id = "123456789012"
}

output "bucket" {
  description = "Where states are."
  value       = module.bootstrap.state_bucket
}
