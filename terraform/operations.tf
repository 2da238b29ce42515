module "monitoring" {
  source = "./modules/monitoring"

  name             = local.name
  kms_key_arn      = module.keys["operations"].arn
  page_endpoint    = var.page_endpoint
  ticket_emails    = var.alerts.emails
  runbook_base_url = var.alerts.runbook_base_url
  cache_node_ids   = module.elasticache.node_ids
  nat_gateway_ids  = module.vpc.nat_gateway_ids
  web_acl_name     = module.waf.name
  always_on        = var.cost.working_hours == null
  database = {
    identifier  = module.rds.identifier
    replicas    = module.rds.replica_identifiers
    storage_gib = var.database.storage.gib
    memory_gib  = var.database.memory_gib
  }
  tags = local.tags
}

module "cost" {
  source = "./modules/cost"

  name                   = local.name
  environment            = var.environment
  monthly_budget_usd     = var.cost.monthly_budget_usd
  anomaly_threshold_usd  = var.cost.anomaly_threshold_usd
  notification_topic_arn = module.monitoring.ticket_topic_arn
  kms_key_arn            = module.keys["operations"].arn
  working_hours          = var.cost.working_hours
  node_groups = { for name, group in local.node_groups : name => {
    autoscaling_group = module.eks.autoscaling_group_names[name]
    min_size          = group.min_size
    max_size          = group.max_size
    desired_size      = group.desired_size
  } }
  databases = { writer = { identifier = module.rds.identifier, arn = module.rds.arn } }
  tags      = local.tags
}
