variable "name" {
  description = "What the key is for, as its alias without `alias/`: `mcp-demo-prod-database`."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{2,62}$", var.name)) && !startswith(var.name, "aws")
    error_message = "name must be 3 to 63 lower-case letters, digits and hyphens, and not begin with aws, which AWS keeps for itself."
  }
}

variable "description" {
  description = "One sentence on what is encrypted with it."
  type        = string
}

variable "services" {
  description = "Service principals that use the key for this account themselves, such as `cloudwatch.amazonaws.com` for an encrypted topic."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for s in var.services : can(regex("^[a-z0-9.-]+\\.amazonaws\\.com$", s))])
    error_message = "services must be service principals: cloudwatch.amazonaws.com."
  }
}

variable "log_groups" {
  description = "Whether CloudWatch Logs encrypts log groups of this account with it."
  type        = bool
  default     = false
}

variable "auto_scaling" {
  description = "Whether Auto Scaling starts instances whose volumes are encrypted with it."
  type        = bool
  default     = false
}

variable "deletion_window_in_days" {
  description = "How long a deleted key can be had back."
  type        = number
  default     = 30

  validation {
    condition     = var.deletion_window_in_days >= 7 && var.deletion_window_in_days <= 30
    error_message = "deletion_window_in_days must be 7 to 30."
  }
}

variable "tags" {
  description = "Tags of every resource."
  type        = map(string)
  default     = {}
}
