# Outside working hours there are no nodes and the database is stopped. Its disk, the cache and the network cost on.
# RDS starts a stopped instance by itself after seven days; the next stop puts it to sleep again.

data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}

locals {
  scheduled = var.working_hours != null
  times     = local.scheduled ? { start = var.working_hours.start, stop = var.working_hours.stop } : {}

  database_times = merge([for name, database in var.databases : { for action, cron in local.times :
    "${name}-${action}" => { database = database, action = action, cron = cron }
  }]...)

  # Auto Scaling knows five fields and names of days, EventBridge six: minute, hour, day, month and day of week are shared.
  unix_cron = { for action, cron in local.times : action => replace(join(" ", slice(split(" ", cron), 0, 5)), "?", "*") }
}

resource "aws_autoscaling_schedule" "start" {
  for_each = local.scheduled ? var.node_groups : {}

  scheduled_action_name  = "${var.name}-start"
  autoscaling_group_name = each.value.autoscaling_group
  min_size               = each.value.min_size
  max_size               = each.value.max_size
  desired_capacity       = each.value.desired_size
  recurrence             = local.unix_cron.start
  time_zone              = var.working_hours.time_zone
}

resource "aws_autoscaling_schedule" "stop" {
  for_each = local.scheduled ? var.node_groups : {}

  scheduled_action_name  = "${var.name}-stop"
  autoscaling_group_name = each.value.autoscaling_group
  min_size               = 0
  max_size               = each.value.max_size
  desired_capacity       = 0
  recurrence             = local.unix_cron.stop
  time_zone              = var.working_hours.time_zone
}

resource "aws_iam_role" "scheduler" {
  count = length(local.database_times) > 0 ? 1 : 0

  name        = "${var.name}-scheduler"
  description = "Starts and stops databases of ${var.name}"
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "scheduler.amazonaws.com" }
      Action    = "sts:AssumeRole"
      Condition = { StringEquals = { "aws:SourceAccount" = data.aws_caller_identity.current.account_id } }
    }]
  })
  tags = var.tags
}

resource "aws_iam_role_policy" "scheduler" {
  count = length(local.database_times) > 0 ? 1 : 0

  name = "start-and-stop"
  role = aws_iam_role.scheduler[0].id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      { Effect = "Allow", Action = ["rds:StartDBInstance", "rds:StopDBInstance"], Resource = [for d in var.databases : d.arn] },
      { Effect = "Allow", Action = ["kms:Decrypt"], Resource = [var.kms_key_arn] },
    ]
  })
}

resource "aws_scheduler_schedule" "database" {
  for_each = local.database_times

  name                         = "${var.name}-${each.key}"
  description                  = "${each.value.action} ${each.value.database.identifier}"
  schedule_expression          = "cron(${each.value.cron})"
  schedule_expression_timezone = var.working_hours.time_zone
  kms_key_arn                  = var.kms_key_arn

  flexible_time_window {
    mode = "OFF"
  }

  target {
    arn      = "arn:${data.aws_partition.current.partition}:scheduler:::aws-sdk:rds:${each.value.action}DBInstance"
    role_arn = aws_iam_role.scheduler[0].arn
    input    = jsonencode({ DbInstanceIdentifier = each.value.database.identifier })

    retry_policy {
      maximum_retry_attempts       = 3
      maximum_event_age_in_seconds = 3600
    }
  }
}
