# A bucket of backups that nobody can delete for a month, with a copy in a second region and access logs.
provider "aws" {
  region = "us-east-1"
}

provider "aws" {
  alias  = "second"
  region = "us-west-2"
}

module "key" {
  source = "../../../kms"

  name        = "example-backups"
  description = "Backups."
}

module "second_key" {
  source    = "../../../kms"
  providers = { aws = aws.second }

  name        = "example-backups"
  description = "Copies of backups."
}

module "access_logs" {
  source = "../.."

  name                 = "example-123456789012-access-logs"
  receives_access_logs = true
  lifecycle_rules      = { everything = { expire_days = 365 } }
}

module "copy" {
  source    = "../.."
  providers = { aws = aws.second }

  name        = "example-123456789012-backups-copy"
  kms_key_arn = module.second_key.arn
  object_lock = { mode = "GOVERNANCE", days = 30 }
}

module "backups" {
  source = "../.."

  name              = "example-123456789012-backups"
  kms_key_arn       = module.key.arn
  access_log_bucket = module.access_logs.name
  object_lock       = { mode = "GOVERNANCE", days = 30 }
  lifecycle_rules   = { everything = { infrequent_days = 30, archive_days = 90, expire_days = 400 } }
  replicate_to      = { bucket_arn = module.copy.arn, kms_key_arn = module.second_key.arn }
}

output "bucket" {
  description = "Where backups go."
  value       = module.backups.name
}
