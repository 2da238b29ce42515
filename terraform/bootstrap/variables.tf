variable "account_id" {
  description = "The account whose environments keep their state here."
  type        = string

  validation {
    condition     = can(regex("^[0-9]{12}$", var.account_id))
    error_message = "account_id must be twelve digits."
  }
}

variable "tags" {
  description = "Tags of every resource."
  type        = map(string)
  default     = { Project = "mcp-demo", ManagedBy = "terraform" }
}
