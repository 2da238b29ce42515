# One key for each kind of data: who may use one has no part in the others, and deleting one deletes that data alone.

module "keys" {
  source = "./modules/kms"
  for_each = {
    backups  = { description = "Backups in S3." }
    cache    = { description = "The cache and its log.", log_groups = true }
    cluster  = { description = "Secrets and logs of the control plane.", log_groups = true }
    database = { description = "The database, its snapshots and logs.", log_groups = true }
    images   = { description = "Container images." }
    logs     = { description = "Logs of the network and the firewall.", log_groups = true }
    operations = {
      description = "Topics of alarms and costs, and schedules."
      services    = ["budgets.amazonaws.com", "cloudwatch.amazonaws.com", "costalerts.amazonaws.com"]
    }
    secrets = { description = "Secrets of the server." }
    volumes = { description = "Volumes of nodes and pods.", auto_scaling = true }
  }

  name                    = "${local.name}-${each.key}"
  description             = each.value.description
  log_groups              = lookup(each.value, "log_groups", false)
  auto_scaling            = lookup(each.value, "auto_scaling", false)
  services                = lookup(each.value, "services", [])
  deletion_window_in_days = local.production ? 30 : 7
  tags                    = local.tags
}

module "second_key" {
  source    = "./modules/kms"
  count     = var.backups.copies ? 1 : 0
  providers = { aws = aws.second }

  name        = "${local.name}-copies"
  description = "Copies of backups and secrets."
  tags        = local.tags
}
