locals {
  family = "postgres${split(".", var.engine_version)[0]}"

  # Static ones hold from the next restart on.
  parameters = {
    "rds.force_ssl"                     = { value = "1", static = false }
    "rds.accepted_password_auth_method" = { value = "scram", static = false }
    "rds.logical_replication"           = { value = var.logical_replication ? "1" : "0", static = true }
    "shared_preload_libraries"          = { value = "pg_stat_statements", static = true }

    # Builds of HNSW indexes. In KiB.
    "maintenance_work_mem"             = { value = tostring(var.maintenance_work_mem_mib * 1024), static = false }
    "max_parallel_maintenance_workers" = { value = tostring(var.parallel_maintenance_workers), static = false }

    # Statements are parameterised, so that what is slow can be logged without what was asked: never the parameters.
    "log_min_duration_statement"        = { value = "1000", static = false }
    "log_parameter_max_length"          = { value = "0", static = false }
    "log_parameter_max_length_on_error" = { value = "0", static = false }
    "log_statement"                     = { value = "ddl", static = false }
    "log_connections"                   = { value = "1", static = false }
    "log_disconnections"                = { value = "1", static = false }
    "log_lock_waits"                    = { value = "1", static = false }
    "track_io_timing"                   = { value = "1", static = false }
  }
}

resource "aws_db_parameter_group" "this" {
  name_prefix = "${var.name}-"
  description = "TLS alone, HNSW builds, logs without content"
  family      = local.family
  tags        = var.tags

  dynamic "parameter" {
    for_each = local.parameters
    content {
      name         = parameter.key
      value        = parameter.value.value
      apply_method = parameter.value.static ? "pending-reboot" : "immediate"
    }
  }

  lifecycle {
    create_before_destroy = true
  }
}
