# Two zones behind one NAT gateway, with the endpoints that nodes need most.
provider "aws" {
  region = "us-east-1"
}

module "logs_key" {
  source = "../../../kms"

  name        = "example-logs"
  description = "Flow logs."
  log_groups  = true
}

module "vpc" {
  source = "../.."

  name                = "example"
  cidr                = "10.40.0.0/16"
  availability_zones  = ["us-east-1a", "us-east-1b"]
  nat_gateways        = "single"
  interface_endpoints = ["ecr.api", "ecr.dkr", "sts"]
  kms_key_arn         = module.logs_key.arn
  tags                = { Environment = "example" }
}

output "private_subnet_ids" {
  description = "Where nodes may go."
  value       = module.vpc.private_subnet_ids
}
