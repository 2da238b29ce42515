data "aws_partition" "current" {}

locals {
  logs = ["postgresql", "upgrade"]
}

resource "aws_db_subnet_group" "this" {
  name        = var.name
  description = "Subnets of ${var.name}"
  subnet_ids  = var.subnet_ids
  tags        = var.tags
}

resource "aws_security_group" "this" {
  name        = "${var.name}-database"
  description = "PostgreSQL from named groups; nothing out"
  vpc_id      = var.vpc_id
  tags        = merge(var.tags, { Name = "${var.name}-database" })

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_vpc_security_group_ingress_rule" "clients" {
  for_each = var.client_security_group_ids

  security_group_id            = aws_security_group.this.id
  description                  = "PostgreSQL from ${each.key}"
  referenced_security_group_id = each.value
  ip_protocol                  = "tcp"
  from_port                    = 5432
  to_port                      = 5432
  tags                         = var.tags
}

resource "aws_cloudwatch_log_group" "this" {
  for_each = toset(flatten([for instance in concat([var.name], [for i in range(var.replicas) : "${var.name}-replica-${i + 1}"]) : [
    for log in local.logs : "${instance}/${log}"
  ]]))

  # RDS writes to these names; made here, so that they are encrypted and do not live for ever.
  name              = "/aws/rds/instance/${each.key}"
  retention_in_days = var.log_retention_in_days
  kms_key_id        = var.kms_key_arn
  tags              = var.tags
}

resource "aws_iam_role" "monitoring" {
  name        = "${var.name}-monitoring"
  description = "Enhanced monitoring of ${var.name}"
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "monitoring.rds.amazonaws.com" }
      Action    = "sts:AssumeRole"
    }]
  })
  tags = var.tags
}

resource "aws_iam_role_policy_attachment" "monitoring" {
  role       = aws_iam_role.monitoring.name
  policy_arn = "arn:${data.aws_partition.current.partition}:iam::aws:policy/service-role/AmazonRDSEnhancedMonitoringRole"
}

resource "aws_db_instance" "this" {
  identifier     = var.name
  engine         = "postgres"
  engine_version = var.engine_version
  instance_class = var.instance_class

  db_name                       = var.database_name
  username                      = var.master_username
  manage_master_user_password   = local.managed_password ? true : null
  master_user_secret_kms_key_id = local.managed_password ? var.kms_key_arn : null
  password_wo                   = local.managed_password ? null : var.initial_master_password
  password_wo_version           = local.managed_password ? null : 1

  storage_type          = "gp3"
  allocated_storage     = var.storage.gib
  max_allocated_storage = var.storage.max_gib
  storage_encrypted     = true
  kms_key_id            = var.kms_key_arn

  multi_az               = var.multi_az
  db_subnet_group_name   = aws_db_subnet_group.this.name
  vpc_security_group_ids = [aws_security_group.this.id]
  publicly_accessible    = false
  ca_cert_identifier     = "rds-ca-rsa2048-g1"
  parameter_group_name   = aws_db_parameter_group.this.name

  # People log in with tokens of IAM; the server has a password of its own, which scripts/rotate-secrets.sh changes.
  iam_database_authentication_enabled = true

  backup_retention_period   = var.backup_retention_days
  backup_window             = "03:00-04:00"
  maintenance_window        = "sun:04:30-sun:05:30"
  copy_tags_to_snapshot     = true
  delete_automated_backups  = !var.deletion_protection
  deletion_protection       = var.deletion_protection
  skip_final_snapshot       = !var.deletion_protection
  final_snapshot_identifier = var.deletion_protection ? "${var.name}-final" : null

  auto_minor_version_upgrade  = true
  allow_major_version_upgrade = false

  monitoring_interval                   = 60
  monitoring_role_arn                   = aws_iam_role.monitoring.arn
  performance_insights_enabled          = true
  performance_insights_kms_key_id       = var.kms_key_arn
  performance_insights_retention_period = 7
  enabled_cloudwatch_logs_exports       = local.logs

  tags = merge(var.tags, { Name = var.name })

  lifecycle {
    precondition {
      condition     = local.managed_password || var.initial_master_password != null
      error_message = "RDS does not manage the master password of an instance with read replicas: give initial_master_password (TF_VAR_..., never in a file)."
    }
  }

  depends_on = [aws_cloudwatch_log_group.this, aws_iam_role_policy_attachment.monitoring]
}

resource "aws_db_instance" "replica" {
  count = var.replicas

  identifier          = "${var.name}-replica-${count.index + 1}"
  replicate_source_db = aws_db_instance.this.identifier
  instance_class      = var.instance_class

  storage_type          = "gp3"
  max_allocated_storage = var.storage.max_gib
  storage_encrypted     = true
  kms_key_id            = var.kms_key_arn

  # A replica that was promoted is a writer: it needs what the writer has.
  multi_az                            = false
  vpc_security_group_ids              = [aws_security_group.this.id]
  publicly_accessible                 = false
  ca_cert_identifier                  = "rds-ca-rsa2048-g1"
  parameter_group_name                = aws_db_parameter_group.this.name
  iam_database_authentication_enabled = true
  backup_retention_period             = 1
  copy_tags_to_snapshot               = true
  deletion_protection                 = var.deletion_protection
  skip_final_snapshot                 = true
  auto_minor_version_upgrade          = true

  monitoring_interval                   = 60
  monitoring_role_arn                   = aws_iam_role.monitoring.arn
  performance_insights_enabled          = true
  performance_insights_kms_key_id       = var.kms_key_arn
  performance_insights_retention_period = 7
  enabled_cloudwatch_logs_exports       = local.logs

  tags = merge(var.tags, { Name = "${var.name}-replica-${count.index + 1}" })
}

resource "aws_db_instance_automated_backups_replication" "copy" {
  count = var.backup_copy == null ? 0 : 1

  region                 = var.backup_copy.region
  source_db_instance_arn = aws_db_instance.this.arn
  kms_key_id             = var.backup_copy.kms_key_arn
  retention_period       = var.backup_retention_days
}
