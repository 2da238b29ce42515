# A writer in two zones whose password RDS manages.
provider "aws" {
  region = "us-east-1"
}

module "key" {
  source = "../../../kms"

  name        = "example-database"
  description = "The example's database."
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

module "database" {
  source = "../.."

  name                      = "example"
  instance_class            = "db.t3.medium"
  storage                   = { gib = 20, max_gib = 100 }
  vpc_id                    = module.vpc.id
  subnet_ids                = module.vpc.database_subnet_ids
  client_security_group_ids = { example = aws_security_group.client.id }
  kms_key_arn               = module.key.arn
}

output "host" {
  description = "To connect to, with sslmode=verify-full."
  value       = module.database.address
}
