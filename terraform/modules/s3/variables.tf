variable "name" {
  description = "Name of the bucket, unique in all of AWS."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$", var.name))
    error_message = "name must be 3 to 63 lower-case letters, digits and hyphens; dots break TLS."
  }
}

variable "kms_key_arn" {
  description = "Key that encrypts the objects. None: S3's own, for the target of access logs, which takes no other."
  type        = string
  default     = null
}

variable "access_log_bucket" {
  description = "Bucket that gets the access logs. None: this is it."
  type        = string
  default     = null
}

variable "receives_access_logs" {
  description = "Whether buckets of this account may write their access logs here."
  type        = bool
  default     = false

  validation {
    condition     = !var.receives_access_logs || var.kms_key_arn == null
    error_message = "a target of access logs must use S3's own key: delivery with another fails without a word."
  }
}

variable "lifecycle_rules" {
  description = "What becomes of objects by prefix: days until colder storage, until they expire, and until old versions do."
  type = map(object({
    prefix             = optional(string, "")
    infrequent_days    = optional(number)
    archive_days       = optional(number)
    expire_days        = optional(number)
    noncurrent_days    = optional(number, 30)
    noncurrent_to_keep = optional(number)
  }))
  default = { everything = {} }

  validation {
    condition     = alltrue([for r in var.lifecycle_rules : r.infrequent_days == null ? true : r.infrequent_days >= 30])
    error_message = "infrequent_days must be at least 30, which S3 bills for anyway."
  }

  validation {
    condition     = alltrue([for r in var.lifecycle_rules : r.expire_days == null || r.archive_days == null ? true : r.expire_days >= r.archive_days + 90])
    error_message = "expire_days must be 90 days past archive_days, which Glacier bills for anyway."
  }
}

variable "object_lock" {
  description = "Nobody deletes an object before its time: `GOVERNANCE` (but for whoever may bypass it) or `COMPLIANCE` (nobody at all), and for how many days. Only at creation."
  type        = object({ mode = string, days = number })
  default     = null

  validation {
    condition     = var.object_lock == null ? true : contains(["GOVERNANCE", "COMPLIANCE"], var.object_lock.mode) && var.object_lock.days >= 1
    error_message = "object_lock must have a mode, GOVERNANCE or COMPLIANCE, and at least one day."
  }
}

variable "replicate_to" {
  description = "A bucket of another region that gets every object, with that region's key."
  type        = object({ bucket_arn = string, kms_key_arn = string })
  default     = null

  validation {
    condition     = var.replicate_to == null || var.kms_key_arn != null
    error_message = "replicate_to needs a kms_key_arn here too: objects are encrypted anew there."
  }
}

variable "force_destroy" {
  description = "Whether `destroy` may take objects with it."
  type        = bool
  default     = false

  validation {
    condition     = !var.force_destroy || var.object_lock == null
    error_message = "force_destroy and object_lock contradict each other."
  }
}

variable "tags" {
  description = "Tags of every resource."
  type        = map(string)
  default     = {}
}
