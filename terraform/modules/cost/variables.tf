variable "name" {
  description = "In front of the names of budgets and schedules."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{2,40}$", var.name))
    error_message = "name must be 3 to 41 lower-case letters, digits and hyphens."
  }
}

variable "environment" {
  description = "Value of the tag `Environment` whose costs are counted. The tag must be activated as a cost allocation tag once for the account."
  type        = string

  validation {
    condition     = contains(["dev", "staging", "prod"], var.environment)
    error_message = "environment must be dev, staging or prod."
  }
}

variable "monthly_budget_usd" {
  description = "What a month may cost."
  type        = number

  validation {
    condition     = var.monthly_budget_usd >= 1
    error_message = "monthly_budget_usd must be at least 1."
  }
}

variable "anomaly_threshold_usd" {
  description = "An unusual cost of at least this much is told."
  type        = number
  default     = 50

  validation {
    condition     = var.anomaly_threshold_usd >= 1
    error_message = "anomaly_threshold_usd must be at least 1."
  }
}

variable "notification_topic_arn" {
  description = "Topic that is told."
  type        = string
}

variable "working_hours" {
  description = "When the environment runs, as cron fields without seconds for start and stop (`0 7 ? * MON-FRI *`), in a time zone. None: always."
  type        = object({ start = string, stop = string, time_zone = string })
  default     = null

  validation {
    condition     = var.working_hours == null ? true : alltrue([for c in [var.working_hours.start, var.working_hours.stop] : length(split(" ", c)) == 6])
    error_message = "start and stop must be six fields: minute, hour, day of month, month, day of week, year."
  }

  validation {
    condition     = var.working_hours == null || var.environment != "prod"
    error_message = "production has no working hours: it runs always."
  }
}

variable "node_groups" {
  description = "Node groups that follow the working hours, by name: their Auto Scaling group, and their sizes while they run."
  type        = map(object({ autoscaling_group = string, min_size = number, max_size = number, desired_size = number }))
  default     = {}
}

variable "databases" {
  description = "Database instances that follow the working hours, by a name of your choice: identifier and ARN."
  type        = map(object({ identifier = string, arn = string }))
  default     = {}
}

variable "kms_key_arn" {
  description = "Key of the schedules."
  type        = string

  validation {
    condition     = can(regex("^arn:aws[a-z-]*:kms:", var.kms_key_arn))
    error_message = "kms_key_arn must be the ARN of a KMS key."
  }
}

variable "tags" {
  description = "Tags of every resource."
  type        = map(string)
  default     = {}
}
