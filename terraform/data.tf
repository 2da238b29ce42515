module "rds" {
  source = "./modules/rds"

  name                      = local.name
  engine_version            = var.database.engine_version
  instance_class            = var.database.instance_class
  storage                   = var.database.storage
  multi_az                  = var.database.multi_az
  replicas                  = var.database.replicas
  backup_retention_days     = var.database.backup_retention_days
  backup_copy               = var.backups.copies ? { region = var.second_region, kms_key_arn = module.second_key[0].arn } : null
  maintenance_work_mem_mib  = var.database.maintenance_work_mem_mib
  initial_master_password   = var.initial_master_password
  vpc_id                    = module.vpc.id
  subnet_ids                = module.vpc.database_subnet_ids
  client_security_group_ids = { cluster = module.eks.security_group_id }
  kms_key_arn               = module.keys["database"].arn
  log_retention_in_days     = local.log_days
  deletion_protection       = local.production
  tags                      = local.tags
}

module "elasticache" {
  source = "./modules/elasticache"

  name                      = local.name
  node_type                 = var.cache.node_type
  nodes                     = var.cache.nodes
  vpc_id                    = module.vpc.id
  subnet_ids                = module.vpc.database_subnet_ids
  client_security_group_ids = { cluster = module.eks.security_group_id }
  kms_key_arn               = module.keys["cache"].arn
  snapshot_retention_days   = local.production ? 1 : 0
  tags                      = local.tags
}

module "access_logs" {
  source = "./modules/s3"

  name                 = "${local.name}-access-logs-${var.account_id}"
  receives_access_logs = true
  lifecycle_rules      = { everything = { expire_days = local.log_days } }
  force_destroy        = !local.production
  tags                 = local.tags
}

module "backups" {
  source = "./modules/s3"

  name              = "${local.name}-backups-${var.account_id}"
  kms_key_arn       = module.keys["backups"].arn
  access_log_bucket = module.access_logs.name
  object_lock       = { mode = local.production ? "COMPLIANCE" : "GOVERNANCE", days = var.backups.locked_days }
  # scripts/backup-database.sh removes what is old; a version goes for good when its lock is over.
  lifecycle_rules = { everything = { infrequent_days = 30, noncurrent_days = var.backups.locked_days } }
  replicate_to    = var.backups.copies ? { bucket_arn = module.backup_copies[0].arn, kms_key_arn = module.second_key[0].arn } : null
  tags            = local.tags
}

module "backup_copies" {
  source    = "./modules/s3"
  count     = var.backups.copies ? 1 : 0
  providers = { aws = aws.second }

  name            = "${local.name}-backup-copies-${var.account_id}"
  kms_key_arn     = module.second_key[0].arn
  object_lock     = { mode = "COMPLIANCE", days = var.backups.locked_days }
  lifecycle_rules = { everything = { archive_days = 30, expire_days = 400 } }
  tags            = local.tags
}

module "secrets" {
  source = "./modules/secrets"

  secrets = { for path, text in merge(
    {
      "database/url"        = "Connection string of the server's login, with sslmode=verify-full."
      "redis/url"           = "rediss:// address of the cache, with the server's user."
      "auth/token"          = "The operator's bearer token."
      "jwt-secret"          = "What HS256 tokens are signed with."
      "api-keys/openai"     = "Key of the chat model."
      "api-keys/gate"       = "API key of the canary's gate."
      "backup/age-identity" = "What backups are encrypted with; scripts/backup-database.sh also reads them back with it."
    },
    var.database.replicas > 0 ? { "database/replica-urls" = "Connection strings of the read replicas, one on each line." } : {},
  ) : "/mcp-demo/${var.environment}/${path}" => text }

  kms_key_arn             = module.keys["secrets"].arn
  recovery_window_in_days = local.production ? 30 : 7
  replica                 = var.backups.copies ? { region = var.second_region, kms_key_arn = module.second_key[0].arn } : null
  tags                    = local.tags
}
