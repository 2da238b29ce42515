# Alarms for a database with one replica and a cache of two nodes.
provider "aws" {
  region = "us-east-1"
}

module "key" {
  source = "../../../kms"

  name        = "example-alarms"
  description = "Topics of alarms."
  services    = ["budgets.amazonaws.com", "cloudwatch.amazonaws.com", "costalerts.amazonaws.com"]
}

module "monitoring" {
  source = "../.."

  name             = "example"
  kms_key_arn      = module.key.arn
  ticket_emails    = ["operators@example.com"]
  database         = { identifier = "example", replicas = ["example-replica-1"], storage_gib = 100, memory_gib = 16 }
  cache_node_ids   = ["example-001", "example-002"]
  runbook_base_url = "https://example.com/docs/runbooks"
}

output "page_topic" {
  description = "For whatever else wakes somebody."
  value       = module.monitoring.page_topic_arn
}
