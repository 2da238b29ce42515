# One key with a policy that is written out. A key without one gets a policy that nobody reviewed.

data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}
data "aws_region" "current" {}

locals {
  account = data.aws_caller_identity.current.account_id
  region  = data.aws_region.current.region
  arn     = "arn:${data.aws_partition.current.partition}"
  use     = ["kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*"]

  auto_scaling_role = "${local.arn}:iam::${local.account}:role/aws-service-role/autoscaling.amazonaws.com/AWSServiceRoleForAutoScaling"

  # In a key's policy the resource "*" is this key alone.
  statements = [
    {
      # Without it the key could be lost for good; it grants nothing to whom IAM grants nothing.
      wanted    = true
      sid       = "IamPoliciesOfThisAccountDecide"
      principal = { AWS = "${local.arn}:iam::${local.account}:root" }
      actions   = ["kms:*"]
      condition = {}
    },
    {
      wanted    = length(var.services) > 0
      sid       = "ServicesForThisAccount"
      principal = { Service = sort(var.services) }
      actions   = local.use
      condition = { StringEquals = { "aws:SourceAccount" = local.account } }
    },
    {
      wanted    = var.log_groups
      sid       = "LogGroupsOfThisAccount"
      principal = { Service = "logs.${local.region}.amazonaws.com" }
      actions   = local.use
      condition = { ArnLike = { "kms:EncryptionContext:aws:logs:arn" = "${local.arn}:logs:${local.region}:${local.account}:log-group:*" } }
    },
    {
      wanted    = var.auto_scaling
      sid       = "VolumesOfAutoScaling"
      principal = { AWS = local.auto_scaling_role }
      actions   = local.use
      condition = {}
    },
    {
      wanted    = var.auto_scaling
      sid       = "VolumesOfAutoScalingByGrant"
      principal = { AWS = local.auto_scaling_role }
      actions   = ["kms:CreateGrant"]
      condition = { Bool = { "kms:GrantIsForAWSResource" = "true" } }
    },
  ]
}

resource "aws_kms_key" "this" {
  description             = var.description
  enable_key_rotation     = true
  rotation_period_in_days = 365
  deletion_window_in_days = var.deletion_window_in_days

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [for s in local.statements : merge(
      { Sid = s.sid, Effect = "Allow", Principal = s.principal, Action = s.actions, Resource = "*" },
      length(s.condition) == 0 ? null : { Condition = s.condition },
    ) if s.wanted]
  })

  tags = merge(var.tags, { Name = var.name })
}

resource "aws_kms_alias" "this" {
  name          = "alias/${var.name}"
  target_key_id = aws_kms_key.this.key_id
}
