# One small node, for an environment that may do without its cache for a while.
provider "aws" {
  region = "us-east-1"
}

module "key" {
  source = "../../../kms"

  name        = "example-cache"
  description = "The example's cache."
  log_groups  = true
}

module "vpc" {
  source = "../../../vpc"

  name               = "example"
  cidr               = "10.40.0.0/16"
  availability_zones = ["us-east-1a", "us-east-1b"]
  nat_gateways       = "none"
  kms_key_arn        = module.key.arn
}

resource "aws_security_group" "client" {
  name        = "example-client"
  description = "Whatever may connect"
  vpc_id      = module.vpc.id
}

module "cache" {
  source = "../.."

  name                      = "example"
  node_type                 = "cache.t3.micro"
  nodes                     = 1
  vpc_id                    = module.vpc.id
  subnet_ids                = module.vpc.database_subnet_ids
  client_security_group_ids = { example = aws_security_group.client.id }
  kms_key_arn               = module.key.arn
}

output "host" {
  description = "To connect to, with rediss://."
  value       = module.cache.address
}
