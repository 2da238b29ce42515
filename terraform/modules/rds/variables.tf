variable "name" {
  description = "Name of the instance; its replicas get a number."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,50}[a-z0-9]$", var.name)) && !strcontains(var.name, "--")
    error_message = "name must be 3 to 52 lower-case letters, digits and single hyphens."
  }
}

variable "engine_version" {
  description = "PostgreSQL's version: a major (AWS picks the minor) or a whole one. The server needs pgvector 0.8.4; see the README on how to ask which versions have it."
  type        = string
  default     = "18"

  validation {
    condition     = can(regex("^1[5-9](\\.[0-9]+)?$", var.engine_version))
    error_message = "engine_version must be PostgreSQL 15 or newer: older ones are not supported by the server."
  }
}

variable "instance_class" {
  description = "Class of the instance and of its replicas."
  type        = string

  validation {
    condition     = can(regex("^db\\.[a-z0-9]+\\.[a-z0-9]+$", var.instance_class))
    error_message = "instance_class must look like db.r5.large."
  }
}

variable "storage" {
  description = "Size at the start and how far it may grow by itself, in GiB."
  type        = object({ gib = number, max_gib = number })

  validation {
    condition     = var.storage.gib >= 20 && var.storage.max_gib >= var.storage.gib * 1.1
    error_message = "storage must start at 20 GiB or more and have at least a tenth of room to grow: a full disk stops the database."
  }
}

variable "multi_az" {
  description = "Whether a standby in another zone takes over by itself."
  type        = bool
  default     = true
}

variable "replicas" {
  description = "Read replicas in the region, for `database.replica_urls`."
  type        = number
  default     = 0

  validation {
    condition     = var.replicas >= 0 && var.replicas <= 5 && floor(var.replicas) == var.replicas
    error_message = "replicas must be 0 to 5."
  }
}

variable "subnet_ids" {
  description = "Subnets in at least two zones, without a way out."
  type        = list(string)

  validation {
    condition     = length(var.subnet_ids) >= 2
    error_message = "subnet_ids must be at least two."
  }
}

variable "vpc_id" {
  description = "Their network."
  type        = string
}

variable "client_security_group_ids" {
  description = "Security groups that may connect, by a name of your choice."
  type        = map(string)
}

variable "kms_key_arn" {
  description = "Key of the volumes, snapshots, Performance Insights, logs and the master password."
  type        = string

  validation {
    condition     = can(regex("^arn:aws[a-z-]*:kms:", var.kms_key_arn))
    error_message = "kms_key_arn must be the ARN of a KMS key."
  }
}

variable "database_name" {
  description = "Name of the database made at the start."
  type        = string
  default     = "mcp_rag"

  validation {
    condition     = can(regex("^[a-z][a-z0-9_]{0,62}$", var.database_name))
    error_message = "database_name must be lower-case letters, digits and underscores."
  }
}

variable "master_username" {
  description = "The administrator, whom the server does not log in as."
  type        = string
  default     = "mcp_admin"

  validation {
    condition     = can(regex("^[a-z][a-z0-9_]{0,15}$", var.master_username)) && !contains(["postgres", "admin", "rdsadmin"], var.master_username)
    error_message = "master_username must be 1 to 16 lower-case letters, digits and underscores, and none that everybody tries first."
  }
}

variable "master_password_rotation_days" {
  description = "How often the master password changes."
  type        = number
  default     = 30

  validation {
    condition     = var.master_password_rotation_days >= 1 && var.master_password_rotation_days <= 90
    error_message = "master_password_rotation_days must be 1 to 90."
  }
}

variable "initial_master_password" {
  description = "With replicas alone, for which RDS does not manage the password: what it is at the creation. Never in the state; rotated at once."
  type        = string
  default     = null
  ephemeral   = true
  sensitive   = true

  validation {
    condition     = var.initial_master_password == null ? true : can(regex("^[A-Za-z0-9_-]{24,128}$", var.initial_master_password))
    error_message = "initial_master_password must be 24 to 128 letters, digits, hyphens and underscores: openssl rand -hex 24."
  }
}

variable "backup_retention_days" {
  description = "How far back a point-in-time restore reaches."
  type        = number
  default     = 14

  validation {
    condition     = var.backup_retention_days >= 1 && var.backup_retention_days <= 35
    error_message = "backup_retention_days must be 1 to 35: 0 switches backups off."
  }
}

variable "backup_copy" {
  description = "A second region that gets copies of the backups and the write-ahead log, with a key of that region; a restore to a point in time works there too."
  type        = object({ region = string, kms_key_arn = string })
  default     = null
}

variable "maintenance_work_mem_mib" {
  description = "Memory of one build of an HNSW index. A graph that fits is built several times faster than one that does not; leave room for the rest."
  type        = number
  default     = 512

  validation {
    condition     = var.maintenance_work_mem_mib >= 64 && var.maintenance_work_mem_mib <= 16384
    error_message = "maintenance_work_mem_mib must be 64 to 16384."
  }
}

variable "parallel_maintenance_workers" {
  description = "Processes that build an index beside the first."
  type        = number
  default     = 2

  validation {
    condition     = var.parallel_maintenance_workers >= 0 && var.parallel_maintenance_workers <= 32
    error_message = "parallel_maintenance_workers must be 0 to 32."
  }
}

variable "logical_replication" {
  description = "Whether changes can be streamed to another database: gradual migrations, blue-green upgrades."
  type        = bool
  default     = true
}

variable "deletion_protection" {
  description = "Whether RDS refuses to delete the instance; without it there is no final snapshot either."
  type        = bool
  default     = true
}

variable "log_retention_in_days" {
  description = "How long the database's logs are kept."
  type        = number
  default     = 365

  validation {
    condition     = contains([30, 60, 90, 120, 150, 180, 365, 400, 545, 731], var.log_retention_in_days)
    error_message = "log_retention_in_days must be one that CloudWatch Logs knows, 30 to 731."
  }
}

variable "tags" {
  description = "Tags of every resource."
  type        = map(string)
  default     = {}
}
