# The bucket of the states, made once for an account before anything else (README.md). Its own state is kept in itself
# afterwards: terraform init -migrate-state.

module "key" {
  source = "../modules/kms"

  name        = "mcp-demo-terraform-state"
  description = "States of Terraform."
  tags        = var.tags
}

module "access_logs" {
  source = "../modules/s3"

  name                 = "mcp-demo-terraform-access-logs-${var.account_id}"
  receives_access_logs = true
  lifecycle_rules      = { everything = { expire_days = 365 } }
  tags                 = var.tags
}

# Old versions are the way back from a state that was damaged; ninety days and at least ten of them stay.
module "state" {
  source = "../modules/s3"

  name              = "mcp-demo-terraform-state-${var.account_id}"
  kms_key_arn       = module.key.arn
  access_log_bucket = module.access_logs.name
  lifecycle_rules   = { everything = { noncurrent_days = 90, noncurrent_to_keep = 10 } }
  tags              = var.tags
}
