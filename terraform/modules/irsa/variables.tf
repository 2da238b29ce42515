variable "name" {
  description = "Name of the role."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9+=,.@_-]{1,64}$", var.name))
    error_message = "name must be one that IAM takes, at most 64 characters."
  }
}

variable "description" {
  description = "Who has the role and for what."
  type        = string
}

variable "namespace" {
  description = "Namespace of the service account."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$", var.namespace))
    error_message = "namespace must be one namespace by name: a wildcard would give the role to whoever may make a namespace."
  }
}

variable "service_account" {
  description = "Name of the service account."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$", var.service_account))
    error_message = "service_account must be one service account by name."
  }
}

variable "oidc_provider_arn" {
  description = "IRSA: the cluster's OIDC provider. Give either this and `oidc_issuer`, or `cluster_name`."
  type        = string
  default     = null
}

variable "oidc_issuer" {
  description = "IRSA: its issuer, without `https://`."
  type        = string
  default     = null

  validation {
    condition     = (var.oidc_issuer == null) == (var.oidc_provider_arn == null)
    error_message = "oidc_issuer and oidc_provider_arn come together."
  }
}

variable "cluster_name" {
  description = "Pod Identity: the cluster, which gets an association. Nothing has to be written at the service account then."
  type        = string
  default     = null

  validation {
    condition     = (var.cluster_name == null) != (var.oidc_provider_arn == null)
    error_message = "give either cluster_name, for Pod Identity, or oidc_provider_arn and oidc_issuer, for IRSA."
  }
}

variable "statements" {
  description = "What the role may do. None: it is an identity and no more."
  type = list(object({
    sid        = string
    actions    = list(string)
    resources  = list(string)
    conditions = optional(map(map(string)), {})
  }))
  default = []

  validation {
    condition     = alltrue(flatten([for s in var.statements : [for a in s.actions : a != "*" && !endswith(a, ":*")]]))
    error_message = "actions must be named: neither * nor service:*."
  }
}

variable "policy_arns" {
  description = "Managed policies by a name of your choice."
  type        = map(string)
  default     = {}
}

variable "tags" {
  description = "Tags of every resource."
  type        = map(string)
  default     = {}
}
