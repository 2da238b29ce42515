# A key for log groups and for a topic that CloudWatch publishes to.
provider "aws" {
  region = "us-east-1"
}

module "logs" {
  source = "../.."

  name        = "example-logs"
  description = "Log groups and the topic of alarms."
  log_groups  = true
  services    = ["cloudwatch.amazonaws.com"]
  tags        = { Environment = "example" }
}

output "key_arn" {
  description = "To be given to a log group."
  value       = module.logs.arn
}
