# Production: three zones, nothing that is there once. About 1,700 to 2,900 USD a month (docs/COST_OPTIMIZATION.md).
environment   = "prod"
account_id    = "123456789012"
region        = "us-east-1"
second_region = "us-west-2"
host          = "rag.example.com"
owner         = "platform@example.com"

network = {
  cidr                = "10.30.0.0/16"
  availability_zones  = ["us-east-1a", "us-east-1b", "us-east-1c"]
  nat_gateways        = "per_az"
  interface_endpoints = ["ecr.api", "ecr.dkr", "secretsmanager", "sts"]
}

cluster = {
  servers = { instance_types = ["m5.xlarge"], min_size = 3, max_size = 10 }
  workers = { instance_types = ["m5.xlarge", "m5a.xlarge", "m6i.xlarge", "m6a.xlarge"], max_size = 10 }
  access = {
    operators = { principal_arn = "arn:aws:iam::123456789012:role/operators", policy = "AmazonEKSClusterAdminPolicy" }
    readers   = { principal_arn = "arn:aws:iam::123456789012:role/developers", policy = "AmazonEKSViewPolicy", namespaces = ["mcp-demo"] }
  }
}

database = {
  instance_class           = "db.r5.large"
  memory_gib               = 16
  storage                  = { gib = 100, max_gib = 1000 }
  multi_az                 = true
  replicas                 = 1
  backup_retention_days    = 35
  maintenance_work_mem_mib = 4096
}

cache = { node_type = "cache.r5.large", nodes = 2 }

backups = { locked_days = 35, copies = true }

image_pushers = ["arn:aws:iam::123456789012:role/ci"]

alerts = {
  emails           = ["operators@example.com"]
  runbook_base_url = "https://github.com/example/mcp-rag/blob/main/docs/runbooks"
}

cost = { monthly_budget_usd = 2900, anomaly_threshold_usd = 100 }
