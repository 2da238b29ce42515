variable "name" {
  description = "In front of the names of alarms and topics."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{2,40}$", var.name))
    error_message = "name must be 3 to 41 lower-case letters, digits and hyphens."
  }
}

variable "kms_key_arn" {
  description = "Key of the topics; it must let CloudWatch, Budgets and Cost Anomaly Detection use it."
  type        = string

  validation {
    condition     = can(regex("^arn:aws[a-z-]*:kms:", var.kms_key_arn))
    error_message = "kms_key_arn must be the ARN of a KMS key."
  }
}

variable "page_endpoint" {
  description = "HTTPS address of the pager's integration with CloudWatch. It holds a key, so it comes from the environment (TF_VAR_...). None: only the topic."
  type        = string
  default     = null
  sensitive   = true

  validation {
    condition     = var.page_endpoint == null ? true : startswith(var.page_endpoint, "https://")
    error_message = "page_endpoint must begin with https://."
  }
}

variable "ticket_emails" {
  description = "Who gets what can wait until morning."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for e in var.ticket_emails : can(regex("^[^@[:space:]]+@[^@[:space:]]+\\.[^@[:space:]]+$", e))])
    error_message = "ticket_emails must be addresses."
  }
}

variable "database" {
  description = "The database: its name, its replicas' names, the size of its disk and its memory."
  type = object({
    identifier  = string
    replicas    = list(string)
    storage_gib = number
    memory_gib  = number
  })

  validation {
    condition     = var.database.storage_gib > 0 && var.database.memory_gib > 0
    error_message = "storage_gib and memory_gib of the database must be above 0."
  }
}

variable "always_on" {
  description = "Whether the database runs day and night. Otherwise its silence is no alarm."
  type        = bool
  default     = true
}

variable "cache_node_ids" {
  description = "Nodes of the cache."
  type        = list(string)
}

variable "nat_gateway_ids" {
  description = "NAT gateways by zone."
  type        = map(string)
  default     = {}
}

variable "web_acl_name" {
  description = "The web access control list. None: there is none."
  type        = string
  default     = null
}

variable "runbook_base_url" {
  description = "Where docs/runbooks of this repository is to be read; every alarm names its page."
  type        = string

  validation {
    condition     = startswith(var.runbook_base_url, "https://") && !endswith(var.runbook_base_url, "/")
    error_message = "runbook_base_url must begin with https:// and not end with a slash."
  }
}

variable "tags" {
  description = "Tags of every resource."
  type        = map(string)
  default     = {}
}
