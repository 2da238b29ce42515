mock_provider "aws" {
  mock_data "aws_caller_identity" {
    defaults = { account_id = "123456789012" }
  }
  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }
}

variables {
  name                   = "mcp-demo-test"
  environment            = "staging"
  monthly_budget_usd     = 900
  notification_topic_arn = "arn:aws:sns:us-east-1:123456789012:ticket"
  kms_key_arn            = "arn:aws:kms:us-east-1:123456789012:key/alarms"
  node_groups            = { server = { autoscaling_group = "eks-server", min_size = 2, max_size = 4, desired_size = 2 } }
  databases              = { writer = { identifier = "db", arn = "arn:aws:rds:us-east-1:123456789012:db:db" } }
}

run "the_budget_counts_this_environment_and_tells_early" {
  command = plan

  assert {
    condition     = one(aws_budgets_budget.month.cost_filter).values == tolist(["user:Environment$staging"])
    error_message = "costs of this environment alone"
  }
  assert {
    condition     = length(aws_budgets_budget.month.notification) == 3
    error_message = "early, expected, over"
  }
  assert {
    condition     = jsondecode(aws_ce_anomaly_monitor.this.monitor_specification).Tags.Values == ["staging"]
    error_message = "anomalies of this environment alone"
  }
}

run "without_working_hours_nothing_is_stopped" {
  command = plan

  assert {
    condition     = length(aws_autoscaling_schedule.stop) == 0 && length(aws_scheduler_schedule.database) == 0 && length(aws_iam_role.scheduler) == 0
    error_message = "no schedule, no role"
  }
}

run "nodes_and_database_sleep_at_night" {
  command = plan
  variables {
    working_hours = { start = "0 7 ? * MON-FRI *", stop = "0 19 ? * MON-FRI *", time_zone = "Europe/Berlin" }
  }

  assert {
    condition     = aws_autoscaling_schedule.stop["server"].desired_capacity == 0 && aws_autoscaling_schedule.stop["server"].recurrence == "0 19 * * MON-FRI"
    error_message = "no nodes after 19:00, in the form that Auto Scaling reads"
  }
  assert {
    condition     = aws_autoscaling_schedule.start["server"].desired_capacity == 2
    error_message = "two nodes in the morning"
  }
  assert {
    condition     = endswith(aws_scheduler_schedule.database["writer-stop"].target[0].arn, ":aws-sdk:rds:stopDBInstance") && jsondecode(aws_scheduler_schedule.database["writer-stop"].target[0].input).DbInstanceIdentifier == "db"
    error_message = "the database is stopped"
  }
  assert {
    condition     = jsondecode(aws_iam_role_policy.scheduler[0].policy).Statement[0].Resource == ["arn:aws:rds:us-east-1:123456789012:db:db"]
    error_message = "this database alone"
  }
}

run "production_that_sleeps_is_refused" {
  command = plan
  variables {
    environment   = "prod"
    working_hours = { start = "0 7 ? * MON-FRI *", stop = "0 19 ? * MON-FRI *", time_zone = "Europe/Berlin" }
  }
  expect_failures = [var.working_hours]
}

run "a_cron_line_of_five_fields_is_refused" {
  command = plan
  variables {
    working_hours = { start = "0 7 * * 1-5", stop = "0 19 * * 1-5", time_zone = "Europe/Berlin" }
  }
  expect_failures = [var.working_hours]
}

run "an_unknown_environment_is_refused" {
  command = plan
  variables {
    environment = "production"
  }
  expect_failures = [var.environment]
}

run "no_budget_is_refused" {
  command = plan
  variables {
    monthly_budget_usd = 0
  }
  expect_failures = [var.monthly_budget_usd]
}

run "values_of_the_wrong_form_are_refused" {
  command = plan
  variables {
    name                  = "Cost Center"
    anomaly_threshold_usd = 0
    kms_key_arn           = "alias/aws/sns"
  }
  expect_failures = [
    var.name,
    var.anomaly_threshold_usd,
    var.kms_key_arn,
  ]
}

run "the_example_plans" {
  command = plan
  module {
    source = "./examples/basic"
  }
}
