variable "name" {
  description = "Name of the access control list."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z][A-Za-z0-9_-]{2,63}$", var.name))
    error_message = "name must be 3 to 64 letters, digits, hyphens and underscores."
  }
}

variable "requests_per_5_minutes" {
  description = "Requests of one address in five minutes; more are refused. The server's own quotas go by credential."
  type        = number
  default     = 10000

  validation {
    condition     = var.requests_per_5_minutes >= 100 && var.requests_per_5_minutes <= 2000000000
    error_message = "requests_per_5_minutes must be at least 100."
  }
}

variable "blocked_addresses" {
  description = "IPv4 networks that get nothing, for a security incident (docs/runbooks/07-security-incident)."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for a in var.blocked_addresses : can(cidrhost(a, 0)) && a != "0.0.0.0/0"])
    error_message = "blocked_addresses must be networks such as 198.51.100.7/32, and not the whole internet."
  }
}

variable "count_only" {
  description = "Whether the managed rules only count, for the first days of a new deployment."
  type        = bool
  default     = false
}

variable "kms_key_arn" {
  description = "Key of the log group; it must let CloudWatch Logs use it."
  type        = string

  validation {
    condition     = can(regex("^arn:aws[a-z-]*:kms:", var.kms_key_arn))
    error_message = "kms_key_arn must be the ARN of a KMS key."
  }
}

variable "log_retention_in_days" {
  description = "How long the log of refused requests is kept."
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
