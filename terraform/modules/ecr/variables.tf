variable "name" {
  description = "Name of the repository."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9]+([._/-][a-z0-9]+)*$", var.name))
    error_message = "name must be lower-case letters and digits, with single separators."
  }
}

variable "kms_key_arn" {
  description = "Key of the images."
  type        = string

  validation {
    condition     = can(regex("^arn:aws[a-z-]*:kms:", var.kms_key_arn))
    error_message = "kms_key_arn must be the ARN of a KMS key."
  }
}

variable "keep_releases" {
  description = "Released images (tags that begin with `v`) that are kept: how far a rollback reaches."
  type        = number
  default     = 30

  validation {
    condition     = var.keep_releases >= 5
    error_message = "keep_releases must be at least 5."
  }
}

variable "untagged_days" {
  description = "Days after which images without a tag are removed."
  type        = number
  default     = 7

  validation {
    condition     = var.untagged_days >= 1
    error_message = "untagged_days must be at least 1."
  }
}

variable "pushers" {
  description = "Roles that may push, such as that of CI. Others of this account pull, where IAM lets them."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for p in var.pushers : can(regex("^arn:aws[a-z-]*:iam::[0-9]{12}:role/", p))])
    error_message = "pushers must be ARNs of roles."
  }
}

variable "force_delete" {
  description = "Whether `destroy` may take images with it."
  type        = bool
  default     = false
}

variable "tags" {
  description = "Tags of every resource."
  type        = map(string)
  default     = {}
}
