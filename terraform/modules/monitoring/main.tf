# What AWS alone can see: machines, disks, network. What the server sees of itself is in monitoring/ of this repository.
# Each alarm: for how many minutes which statistic of a metric is beyond a threshold, who is told, and what to read.

locals {
  gib = 1024 * 1024 * 1024

  database_alarms = {
    "cpu"         = { metric = "CPUUtilization", statistic = "Average", above = 90, minutes = 15, severity = "ticket", runbook = "03-database-issues" }
    "disk-low"    = { metric = "FreeStorageSpace", statistic = "Minimum", below = 0.15 * var.database.storage_gib * local.gib, minutes = 10, severity = "ticket", runbook = "05-disk-space-low" }
    "disk-full"   = { metric = "FreeStorageSpace", statistic = "Minimum", below = 0.05 * var.database.storage_gib * local.gib, minutes = 5, severity = "page", runbook = "05-disk-space-low" }
    "memory-low"  = { metric = "FreeableMemory", statistic = "Minimum", below = 0.05 * var.database.memory_gib * local.gib, minutes = 15, severity = "ticket", runbook = "03-database-issues" }
    "queue-depth" = { metric = "DiskQueueDepth", statistic = "Average", above = 64, minutes = 15, severity = "ticket", runbook = "03-database-issues" }
    # A database whose transaction ids run out stops taking writes at 2^31; autovacuum should have come at 200 million.
    "transaction-ids" = { metric = "MaximumUsedTransactionIDs", statistic = "Maximum", above = 1000000000, minutes = 5, severity = "page", runbook = "03-database-issues" }
    # No data is bad news here: a database that is away reports nothing.
    "absent" = { metric = "CPUUtilization", statistic = "SampleCount", below = 1, minutes = 5, severity = "page", runbook = "03-database-issues", missing = "breaching" }
  }

  replica_alarms = {
    # The server takes no reads from a replica that is a second behind; five minutes are a broken one.
    "lag" = { metric = "ReplicaLag", statistic = "Maximum", above = 300, minutes = 5, severity = "ticket", runbook = "03-database-issues", missing = "breaching" }
  }

  cache_alarms = {
    "cpu"       = { metric = "EngineCPUUtilization", statistic = "Average", above = 85, minutes = 15, severity = "ticket", runbook = "06-cache-issues" }
    "evictions" = { metric = "Evictions", statistic = "Sum", above = 10000, minutes = 30, severity = "ticket", runbook = "06-cache-issues" }
    "absent"    = { metric = "EngineCPUUtilization", statistic = "SampleCount", below = 1, minutes = 10, severity = "ticket", runbook = "06-cache-issues", missing = "breaching" }
  }

  nat_alarms = {
    "ports" = { metric = "ErrorPortAllocation", statistic = "Sum", above = 0, minutes = 5, severity = "ticket", runbook = "01-high-latency" }
  }

  alarms = merge(
    { for key, alarm in local.database_alarms : "database-${key}" => merge({ missing = "missing" }, alarm, {
    namespace = "AWS/RDS", dimensions = { DBInstanceIdentifier = var.database.identifier } }) if var.always_on || key != "absent" },
    merge([for replica in var.database.replicas : { for key, alarm in local.replica_alarms : "${replica}-${key}" => merge(alarm, {
    namespace = "AWS/RDS", dimensions = { DBInstanceIdentifier = replica } }) }]...),
    merge([for node in var.cache_node_ids : { for key, alarm in local.cache_alarms : "cache-${node}-${key}" => merge({ missing = "missing" }, alarm, {
    namespace = "AWS/ElastiCache", dimensions = { CacheClusterId = node } }) }]...),
    merge([for zone, id in var.nat_gateway_ids : { for key, alarm in local.nat_alarms : "nat-${zone}-${key}" => merge({ missing = "notBreaching" }, alarm, {
    namespace = "AWS/NATGateway", dimensions = { NatGatewayId = id } }) }]...),
  )

  # Compared with what the same hour of the week used to be.
  anomalies = merge(
    { "database-connections" = {
      namespace = "AWS/RDS", metric = "DatabaseConnections", statistic = "Average", dimensions = { DBInstanceIdentifier = var.database.identifier }
      runbook   = "03-database-issues"
    } },
    var.web_acl_name == null ? {} : { "waf-blocked" = {
      namespace = "AWS/WAFV2", metric = "BlockedRequests", statistic = "Sum", dimensions = { WebACL = coalesce(var.web_acl_name, "none"), Region = data.aws_region.current.region, Rule = "ALL" }
      runbook   = "07-security-incident"
    } },
  )
}

data "aws_region" "current" {}

resource "aws_cloudwatch_metric_alarm" "threshold" {
  for_each = local.alarms

  alarm_name          = "${var.name}-${each.key}"
  alarm_description   = "${each.value.metric} for ${each.value.minutes} minutes. ${var.runbook_base_url}/${each.value.runbook}.md"
  namespace           = each.value.namespace
  metric_name         = each.value.metric
  dimensions          = each.value.dimensions
  statistic           = each.value.statistic
  period              = 60
  evaluation_periods  = each.value.minutes
  datapoints_to_alarm = each.value.minutes
  comparison_operator = can(each.value.above) ? "GreaterThanThreshold" : "LessThanThreshold"
  threshold           = try(each.value.above, each.value.below)
  treat_missing_data  = each.value.missing
  alarm_actions       = [aws_sns_topic.this[each.value.severity].arn]
  ok_actions          = [aws_sns_topic.this[each.value.severity].arn]
  tags                = var.tags
}

resource "aws_cloudwatch_metric_alarm" "anomaly" {
  for_each = local.anomalies

  alarm_name          = "${var.name}-${each.key}-unusual"
  alarm_description   = "${each.value.metric} beyond what is usual at this time. ${var.runbook_base_url}/${each.value.runbook}.md"
  comparison_operator = "GreaterThanUpperThreshold"
  evaluation_periods  = 3
  datapoints_to_alarm = 3
  threshold_metric_id = "band"
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.this["ticket"].arn]
  ok_actions          = [aws_sns_topic.this["ticket"].arn]
  tags                = var.tags

  metric_query {
    id          = "band"
    expression  = "ANOMALY_DETECTION_BAND(measured, 3)"
    label       = "usual"
    return_data = true
  }

  metric_query {
    id          = "measured"
    return_data = true

    metric {
      namespace   = each.value.namespace
      metric_name = each.value.metric
      dimensions  = each.value.dimensions
      stat        = each.value.statistic
      period      = 300
    }
  }
}
