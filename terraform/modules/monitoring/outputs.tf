output "page_topic_arn" {
  description = "What wakes somebody."
  value       = aws_sns_topic.this["page"].arn
}

output "ticket_topic_arn" {
  description = "What waits until morning."
  value       = aws_sns_topic.this["ticket"].arn
}

output "alarm_names" {
  description = "Every alarm."
  value       = sort(concat([for a in aws_cloudwatch_metric_alarm.threshold : a.alarm_name], [for a in aws_cloudwatch_metric_alarm.anomaly : a.alarm_name]))
}
