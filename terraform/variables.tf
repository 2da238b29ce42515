variable "environment" {
  description = "`dev`, `staging` or `prod`; in every name and tag, and in the paths of secrets."
  type        = string

  validation {
    condition     = contains(["dev", "staging", "prod"], var.environment)
    error_message = "environment must be dev, staging or prod."
  }
}

variable "account_id" {
  description = "The only account this may be applied to: each environment has its own."
  type        = string

  validation {
    condition     = can(regex("^[0-9]{12}$", var.account_id))
    error_message = "account_id must be twelve digits."
  }
}

variable "region" {
  description = "Region of everything but copies."
  type        = string

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "region must look like us-east-1."
  }
}

variable "second_region" {
  description = "Region of copies."
  type        = string

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.second_region)) && var.second_region != var.region
    error_message = "second_region must be another region than region."
  }
}

variable "host" {
  description = "Name that clients reach the API by."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9-]+(\\.[a-z0-9-]+)+$", var.host))
    error_message = "host must be a name such as rag.example.com."
  }
}

variable "owner" {
  description = "Who answers for it: the tag `Owner`."
  type        = string
}

variable "network" {
  description = "The network: addresses, zones, NAT gateways (`none`, `single`, `per_az`) and endpoints of services."
  type = object({
    cidr                = string
    availability_zones  = list(string)
    nat_gateways        = string
    interface_endpoints = optional(set(string), [])
  })

  validation {
    condition     = var.environment != "prod" || (var.network.nat_gateways == "per_az" && length(var.network.availability_zones) >= 3)
    error_message = "production needs three zones and a NAT gateway in each: with one, the loss of its zone takes the others' way out."
  }

  validation {
    condition     = alltrue([for z in var.network.availability_zones : startswith(z, var.region)])
    error_message = "availability_zones must be of the region."
  }
}

variable "cluster" {
  description = "The cluster: version, who may reach its API over the internet (nobody by default), who may do what, nodes."
  type = object({
    kubernetes_version  = optional(string, "1.35")
    public_access_cidrs = optional(set(string), [])
    addon_versions      = optional(map(string), {})
    access = optional(map(object({
      principal_arn = string
      policy        = string
      namespaces    = optional(list(string), [])
    })), {})
    servers = object({ instance_types = list(string), capacity_type = optional(string, "ON_DEMAND"), min_size = number, max_size = number })
    workers = object({ instance_types = list(string), max_size = number })
  })

  validation {
    condition     = var.environment != "prod" || (var.cluster.servers.capacity_type == "ON_DEMAND" && var.cluster.servers.min_size >= 3)
    error_message = "production's servers need three nodes that stay: one in each zone, none of them spot."
  }
}

variable "database" {
  description = "PostgreSQL: class, disk, zones, replicas, how far back it can be restored, memory of an index build; `memory_gib` is what the class has."
  type = object({
    engine_version           = optional(string, "18")
    instance_class           = string
    memory_gib               = number
    storage                  = object({ gib = number, max_gib = number })
    multi_az                 = bool
    replicas                 = optional(number, 0)
    backup_retention_days    = number
    maintenance_work_mem_mib = number
  })

  validation {
    condition     = var.environment != "prod" || (var.database.multi_az && var.database.replicas >= 1 && var.database.backup_retention_days >= 14)
    error_message = "production's database needs a standby in another zone, a read replica and two weeks of restore points."
  }

  validation {
    condition     = var.database.maintenance_work_mem_mib <= var.database.memory_gib * 1024 / 4
    error_message = "maintenance_work_mem_mib must be a quarter of the memory at most: the cache of the index needs the rest."
  }

  validation {
    condition     = var.database.replicas == 0 || contains(var.network.interface_endpoints, "secretsmanager")
    error_message = "with replicas the function that rotates the master password needs the endpoint secretsmanager: databases' subnets have no way out."
  }
}

variable "initial_master_password" {
  description = "With replicas: the master password at the creation, from TF_VAR_initial_master_password alone. Rotated at once; of no effect later."
  type        = string
  default     = null
  ephemeral   = true
  sensitive   = true
}

variable "cache" {
  description = "Redis: type and number of nodes."
  type        = object({ node_type = string, nodes = number })

  validation {
    condition     = var.environment != "prod" || var.cache.nodes >= 2
    error_message = "production's cache needs a node that takes over."
  }
}

variable "backups" {
  description = "Backups in S3: for how many days nobody may delete one, and whether the second region has copies of them, of the database's and of the secrets."
  type        = object({ locked_days = number, copies = bool })

  validation {
    condition     = var.environment != "prod" || (var.backups.locked_days >= 30 && var.backups.copies)
    error_message = "production's backups must be locked for 30 days and copied to the second region."
  }
}

variable "web_requests_per_5_minutes" {
  description = "Requests of one address in five minutes before the firewall refuses them."
  type        = number
  default     = 10000
}

variable "load_balancer_controller_policy_arn" {
  description = "Policy that the AWS Load Balancer Controller's project publishes, once it is in the account. None: no role for the controller."
  type        = string
  default     = null
}

variable "image_pushers" {
  description = "Roles of CI that push images."
  type        = list(string)
  default     = []
}

variable "alerts" {
  description = "Who gets tickets by mail, and where docs/runbooks is to be read."
  type        = object({ emails = set(string), runbook_base_url = string })
}

variable "page_endpoint" {
  description = "The pager's integration with CloudWatch, from TF_VAR_page_endpoint alone: it holds a key."
  type        = string
  default     = null
  sensitive   = true
}

variable "cost" {
  description = "What a month may cost, what is told as unusual, and when it runs (none: always)."
  type = object({
    monthly_budget_usd    = number
    anomaly_threshold_usd = number
    working_hours         = optional(object({ start = string, stop = string, time_zone = string }))
  })

  validation {
    condition     = var.cost.working_hours == null || var.database.replicas == 0
    error_message = "working_hours need a database without replicas: RDS stops no other."
  }
}
