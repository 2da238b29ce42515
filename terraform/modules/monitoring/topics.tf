# What needs somebody now, and what needs somebody tomorrow.

data "aws_caller_identity" "current" {}

resource "aws_sns_topic" "this" {
  for_each = toset(["page", "ticket"])

  name              = "${var.name}-${each.key}"
  kms_master_key_id = var.kms_key_arn
  tags              = var.tags
}

resource "aws_sns_topic_policy" "this" {
  for_each = aws_sns_topic.this

  arn = each.value.arn
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "AlarmsBudgetsAndAnomaliesOfThisAccount"
        Effect    = "Allow"
        Principal = { Service = ["budgets.amazonaws.com", "cloudwatch.amazonaws.com", "costalerts.amazonaws.com"] }
        Action    = "sns:Publish"
        Resource  = each.value.arn
        Condition = { StringEquals = { "aws:SourceAccount" = data.aws_caller_identity.current.account_id } }
      },
      {
        Sid       = "NothingInTheClear"
        Effect    = "Deny"
        Principal = "*"
        Action    = "sns:Publish"
        Resource  = each.value.arn
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      },
    ]
  })
}

resource "aws_sns_topic_subscription" "page" {
  count = nonsensitive(var.page_endpoint == null) ? 0 : 1

  topic_arn              = aws_sns_topic.this["page"].arn
  protocol               = "https"
  endpoint               = var.page_endpoint
  endpoint_auto_confirms = true
}

resource "aws_sns_topic_subscription" "ticket" {
  for_each = var.ticket_emails

  topic_arn = aws_sns_topic.this["ticket"].arn
  protocol  = "email"
  endpoint  = each.key
}
