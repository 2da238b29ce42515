# The master password has two ways, since RDS makes no read replica of an instance whose password it manages itself:
#   without replicas  RDS makes it, keeps it in Secrets Manager and changes it
#   with replicas     it is given once, as a write-only value, kept in a secret of ours, and changed by AWS' own function
# Neither way does a state or a plan hold it.

locals {
  managed_password = var.replicas == 0
  master_secret    = local.managed_password ? one(aws_db_instance.this.master_user_secret[*].secret_arn) : one(aws_secretsmanager_secret.master[*].arn)
}

data "aws_caller_identity" "current" {}
data "aws_region" "current" {}

data "aws_vpc" "this" {
  id = var.vpc_id
}

resource "aws_secretsmanager_secret_rotation" "managed" {
  count = local.managed_password ? 1 : 0

  secret_id          = local.master_secret
  rotate_immediately = false

  rotation_rules {
    automatically_after_days = var.master_password_rotation_days
  }
}

resource "aws_secretsmanager_secret" "master" {
  count = local.managed_password ? 0 : 1

  name                    = "/rds/${var.name}/master"
  description             = "Master password of ${var.name}"
  kms_key_id              = var.kms_key_arn
  recovery_window_in_days = 30
  tags                    = var.tags
}

resource "aws_secretsmanager_secret_version" "master" {
  count = local.managed_password ? 0 : 1

  secret_id                = aws_secretsmanager_secret.master[0].id
  secret_string_wo_version = 1
  secret_string_wo = jsonencode({
    engine               = "postgres"
    host                 = aws_db_instance.this.address
    port                 = 5432
    dbname               = var.database_name
    dbInstanceIdentifier = var.name
    username             = var.master_username
    password             = var.initial_master_password
  })
}

resource "aws_security_group" "rotation" {
  count = local.managed_password ? 0 : 1

  name        = "${var.name}-rotation"
  description = "The function that changes the master password"
  vpc_id      = var.vpc_id
  tags        = merge(var.tags, { Name = "${var.name}-rotation" })
}

resource "aws_vpc_security_group_egress_rule" "rotation" {
  for_each = local.managed_password ? {} : { postgresql = 5432, secrets-manager = 443 }

  security_group_id            = aws_security_group.rotation[0].id
  description                  = each.key
  referenced_security_group_id = each.key == "postgresql" ? aws_security_group.this.id : null
  cidr_ipv4                    = each.key == "postgresql" ? null : data.aws_vpc.this.cidr_block
  ip_protocol                  = "tcp"
  from_port                    = each.value
  to_port                      = each.value
  tags                         = var.tags
}

resource "aws_vpc_security_group_ingress_rule" "rotation" {
  count = local.managed_password ? 0 : 1

  security_group_id            = aws_security_group.this.id
  description                  = "PostgreSQL from the function that changes the master password"
  referenced_security_group_id = aws_security_group.rotation[0].id
  ip_protocol                  = "tcp"
  from_port                    = 5432
  to_port                      = 5432
  tags                         = var.tags
}

# AWS' own function for PostgreSQL, from the Serverless Application Repository.
resource "aws_serverlessapplicationrepository_cloudformation_stack" "rotation" {
  count = local.managed_password ? 0 : 1

  name           = "${var.name}-rotation"
  application_id = "arn:aws:serverlessrepo:us-east-1:297356227824:applications/SecretsManagerRDSPostgreSQLRotationSingleUser"
  capabilities   = ["CAPABILITY_IAM", "CAPABILITY_RESOURCE_POLICY"]

  parameters = {
    functionName        = "${var.name}-rotation"
    endpoint            = "https://secretsmanager.${data.aws_region.current.region}.amazonaws.com"
    kmsKeyArn           = var.kms_key_arn
    vpcSecurityGroupIds = aws_security_group.rotation[0].id
    vpcSubnetIds        = join(",", var.subnet_ids)
  }

  tags = var.tags
}

resource "aws_secretsmanager_secret_rotation" "master" {
  count = local.managed_password ? 0 : 1

  secret_id           = aws_secretsmanager_secret_version.master[0].secret_id
  rotation_lambda_arn = "arn:${data.aws_partition.current.partition}:lambda:${data.aws_region.current.region}:${data.aws_caller_identity.current.account_id}:function:${var.name}-rotation"
  rotate_immediately  = true

  rotation_rules {
    automatically_after_days = var.master_password_rotation_days
  }

  depends_on = [aws_serverlessapplicationrepository_cloudformation_stack.rotation]
}
