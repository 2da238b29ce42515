terraform {
  # 1.10 locks the state in S3 without a table, 1.11 has write-only arguments: no password in a state.
  required_version = ">= 1.11, < 2.0"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "6.25.0"
    }
    random = {
      source  = "hashicorp/random"
      version = "3.7.2"
    }
  }

  # The rest is in environments/ENV.s3.tfbackend: terraform init -backend-config=environments/prod.s3.tfbackend
  backend "s3" {
    encrypt      = true
    use_lockfile = true
  }
}

provider "aws" {
  region              = var.region
  allowed_account_ids = [var.account_id]
}

# Copies of what must survive the loss of the region.
provider "aws" {
  alias               = "second"
  region              = var.second_region
  allowed_account_ids = [var.account_id]
}
