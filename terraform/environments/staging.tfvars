# Staging: what is in production, smaller and once; asleep at night and at weekends. About 500 to 900 USD a month when it runs always.
environment   = "staging"
account_id    = "123456789012"
region        = "us-east-1"
second_region = "us-west-2"
host          = "rag.staging.example.com"
owner         = "platform@example.com"

network = {
  cidr                = "10.20.0.0/16"
  availability_zones  = ["us-east-1a", "us-east-1b"]
  nat_gateways        = "single"
  interface_endpoints = ["ecr.api", "ecr.dkr", "secretsmanager", "sts"]
}

cluster = {
  servers = { instance_types = ["t3.large"], min_size = 2, max_size = 4 }
  workers = { instance_types = ["t3.large", "t3a.large", "m5.large"], max_size = 2 }
  access = {
    developers = { principal_arn = "arn:aws:iam::123456789012:role/developers", policy = "AmazonEKSClusterAdminPolicy" }
  }
}

database = {
  instance_class           = "db.t3.medium"
  memory_gib               = 4
  storage                  = { gib = 50, max_gib = 200 }
  multi_az                 = false
  backup_retention_days    = 7
  maintenance_work_mem_mib = 1024
}

cache = { node_type = "cache.t3.micro", nodes = 1 }

backups = { locked_days = 7, copies = false }

image_pushers = ["arn:aws:iam::123456789012:role/ci"]

alerts = {
  emails           = ["developers@example.com"]
  runbook_base_url = "https://github.com/example/mcp-rag/blob/main/docs/runbooks"
}

cost = {
  monthly_budget_usd    = 600
  anomaly_threshold_usd = 50
  working_hours         = { start = "0 7 ? * MON-FRI *", stop = "0 19 ? * MON-FRI *", time_zone = "Europe/Berlin" }
}
