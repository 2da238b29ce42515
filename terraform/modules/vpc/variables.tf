variable "name" {
  description = "Name of the network, in front of the names of its parts: `mcp-demo-prod`."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{2,30}$", var.name))
    error_message = "name must be 3 to 31 lower-case letters, digits and hyphens."
  }
}

variable "cidr" {
  description = "IPv4 addresses of the network, a /16: subnets are cut from it by a fixed plan."
  type        = string

  validation {
    condition     = can(cidrhost(var.cidr, 0)) && endswith(var.cidr, "/16") && can(regex("^(10\\.|172\\.(1[6-9]|2[0-9]|3[01])\\.|192\\.168\\.)", var.cidr))
    error_message = "cidr must be a private /16, such as 10.40.0.0/16."
  }
}

variable "availability_zones" {
  description = "Zones to have subnets in, 2 to 4, by name. Named and not asked for: a zone that AWS adds must move nothing."
  type        = list(string)

  validation {
    condition     = length(var.availability_zones) >= 2 && length(var.availability_zones) <= 4 && length(distinct(var.availability_zones)) == length(var.availability_zones)
    error_message = "availability_zones must be 2 to 4 different zones: the control plane and the database need two."
  }
}

variable "nat_gateways" {
  description = "`single` (one for all zones, lost with its zone), `per_az`, or `none`."
  type        = string
  default     = "per_az"

  validation {
    condition     = contains(["none", "single", "per_az"], var.nat_gateways)
    error_message = "nat_gateways must be none, single or per_az."
  }
}

variable "interface_endpoints" {
  description = "AWS services reached without leaving the network, by short name: `ecr.api`, `secretsmanager`. Each costs by the hour and zone; S3's gateway is free and always there."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for e in var.interface_endpoints : can(regex("^[a-z][a-z0-9.-]+$", e)) && e != "s3"])
    error_message = "interface_endpoints must be short names of services, without s3, which has a gateway."
  }
}

variable "kms_key_arn" {
  description = "Key of the flow logs' group; it must let CloudWatch Logs use it."
  type        = string

  validation {
    condition     = can(regex("^arn:aws[a-z-]*:kms:", var.kms_key_arn))
    error_message = "kms_key_arn must be the ARN of a KMS key."
  }
}

variable "flow_log_retention_in_days" {
  description = "How long flow logs are kept."
  type        = number
  default     = 365

  validation {
    condition     = contains([30, 60, 90, 120, 150, 180, 365, 400, 545, 731], var.flow_log_retention_in_days)
    error_message = "flow_log_retention_in_days must be one that CloudWatch Logs knows, 30 to 731."
  }
}

variable "tags" {
  description = "Tags of every resource."
  type        = map(string)
  default     = {}
}
