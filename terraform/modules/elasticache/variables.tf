variable "name" {
  description = "Name of the replication group."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,38}[a-z0-9]$", var.name)) && !strcontains(var.name, "--")
    error_message = "name must be 3 to 40 lower-case letters, digits and single hyphens."
  }
}

variable "engine_version" {
  description = "Version of Redis OSS; 7.1 is the last one of ElastiCache."
  type        = string
  default     = "7.1"

  validation {
    condition     = can(regex("^7\\.[0-9]+$", var.engine_version))
    error_message = "engine_version must be 7.x."
  }
}

variable "node_type" {
  description = "Type of every node."
  type        = string

  validation {
    condition     = can(regex("^cache\\.[a-z0-9]+\\.[a-z0-9]+$", var.node_type))
    error_message = "node_type must look like cache.r5.large."
  }
}

variable "nodes" {
  description = "Nodes: the primary and its replicas. From 2 on another zone takes over by itself."
  type        = number
  default     = 2

  validation {
    condition     = var.nodes >= 1 && var.nodes <= 6 && floor(var.nodes) == var.nodes
    error_message = "nodes must be 1 to 6."
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
  description = "Key of what lies on disk, and of the log."
  type        = string

  validation {
    condition     = can(regex("^arn:aws[a-z-]*:kms:", var.kms_key_arn))
    error_message = "kms_key_arn must be the ARN of a KMS key."
  }
}

variable "snapshot_retention_days" {
  description = "How long daily snapshots are kept; 0: none. It is a cache: what is lost is computed again."
  type        = number
  default     = 1

  validation {
    condition     = var.snapshot_retention_days >= 0 && var.snapshot_retention_days <= 35
    error_message = "snapshot_retention_days must be 0 to 35."
  }
}

variable "log_retention_in_days" {
  description = "How long the engine's log is kept."
  type        = number
  default     = 90

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
