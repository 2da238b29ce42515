# An environment that may cost 500 USD a month and sleeps at night.
provider "aws" {
  region = "us-east-1"
}

module "key" {
  source = "../../../kms"

  name        = "example-alarms"
  description = "The topic of budgets, and schedules."
  services    = ["budgets.amazonaws.com", "costalerts.amazonaws.com"]
}

resource "aws_sns_topic" "costs" {
  name              = "example-costs"
  kms_master_key_id = module.key.arn
}

module "cost" {
  source = "../.."

  name                   = "example"
  environment            = "dev"
  monthly_budget_usd     = 500
  notification_topic_arn = aws_sns_topic.costs.arn
  kms_key_arn            = module.key.arn
  working_hours          = { start = "0 7 ? * MON-FRI *", stop = "0 19 ? * MON-FRI *", time_zone = "Europe/Berlin" }
  node_groups            = { server = { autoscaling_group = "eks-server", min_size = 1, max_size = 3, desired_size = 2 } }
  databases              = { example = { identifier = "example", arn = "arn:aws:rds:us-east-1:123456789012:db:example" } }
}

output "budget" {
  description = "Its name in the console."
  value       = module.cost.budget_name
}
