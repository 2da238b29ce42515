# A development environment in the cloud, for what compose.yaml (0 USD) cannot show: IAM, the load balancer, the network's rules.
# One of everything, spot nodes alone, asleep at night; `terraform destroy` when nobody needs it.
environment   = "dev"
account_id    = "123456789012"
region        = "us-east-1"
second_region = "us-west-2"
host          = "rag.dev.example.com"
owner         = "platform@example.com"

network = {
  cidr               = "10.10.0.0/16"
  availability_zones = ["us-east-1a", "us-east-1b"]
  nat_gateways       = "single"
}

cluster = {
  servers = { instance_types = ["t3.large", "t3a.large", "m5.large"], capacity_type = "SPOT", min_size = 1, max_size = 2 }
  workers = { instance_types = ["t3.large", "t3a.large", "m5.large"], max_size = 1 }
  access = {
    developers = { principal_arn = "arn:aws:iam::123456789012:role/developers", policy = "AmazonEKSClusterAdminPolicy" }
  }
}

database = {
  instance_class           = "db.t3.micro"
  memory_gib               = 1
  storage                  = { gib = 20, max_gib = 50 }
  multi_az                 = false
  backup_retention_days    = 1
  maintenance_work_mem_mib = 128
}

cache = { node_type = "cache.t3.micro", nodes = 1 }

backups = { locked_days = 1, copies = false }

image_pushers = ["arn:aws:iam::123456789012:role/ci"]

alerts = {
  emails           = ["developers@example.com"]
  runbook_base_url = "https://github.com/example/mcp-rag/blob/main/docs/runbooks"
}

cost = {
  monthly_budget_usd    = 300
  anomaly_threshold_usd = 25
  working_hours         = { start = "0 7 ? * MON-FRI *", stop = "0 19 ? * MON-FRI *", time_zone = "Europe/Berlin" }
}
