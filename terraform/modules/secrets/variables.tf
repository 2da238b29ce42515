variable "secrets" {
  description = "Secrets by path, each with a sentence on what it holds: `/mcp-demo/prod/jwt-secret`. Their values are not Terraform's, and so not in its state."
  type        = map(string)

  validation {
    condition     = length(var.secrets) > 0 && alltrue([for path in keys(var.secrets) : can(regex("^/mcp-demo/(dev|staging|prod)/[a-z0-9-]+(/[a-z0-9-]+)*$", path))])
    error_message = "paths must be /mcp-demo/ENV/..., with ENV dev, staging or prod, in lower-case letters, digits and hyphens."
  }

  validation {
    condition     = alltrue([for text in values(var.secrets) : length(text) > 0])
    error_message = "every secret needs a sentence on what it holds."
  }
}

variable "kms_key_arn" {
  description = "Key that encrypts them."
  type        = string

  validation {
    condition     = can(regex("^arn:aws[a-z-]*:kms:", var.kms_key_arn))
    error_message = "kms_key_arn must be the ARN of a KMS key."
  }
}

variable "recovery_window_in_days" {
  description = "How long a deleted secret can be had back; 0 deletes it at once."
  type        = number
  default     = 30

  validation {
    condition     = var.recovery_window_in_days == 0 || (var.recovery_window_in_days >= 7 && var.recovery_window_in_days <= 30)
    error_message = "recovery_window_in_days must be 0 or 7 to 30."
  }
}

variable "replica" {
  description = "A second region that holds copies, with a key of that region; for a restore there."
  type        = object({ region = string, kms_key_arn = string })
  default     = null
}

variable "tags" {
  description = "Tags of every resource."
  type        = map(string)
  default     = {}
}
