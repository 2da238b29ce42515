variable "name" {
  description = "Name of the cluster."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{2,40}$", var.name))
    error_message = "name must be 3 to 41 lower-case letters, digits and hyphens."
  }
}

variable "kubernetes_version" {
  description = "Minor version of Kubernetes. Behind its standard support EKS asks six times the price, so upgrades are part of the running costs."
  type        = string
  default     = "1.35"

  validation {
    condition     = can(regex("^1\\.(3[2-9]|[4-9][0-9])$", var.kubernetes_version))
    error_message = "kubernetes_version must be 1.32 or newer, without a patch level: the manifests are checked against 1.32."
  }
}

variable "vpc_id" {
  description = "The network, for whoever reads the cluster's tags."
  type        = string
}

variable "control_plane_subnet_ids" {
  description = "Subnets of the control plane's interfaces, in at least two zones; they need no way out."
  type        = list(string)

  validation {
    condition     = length(var.control_plane_subnet_ids) >= 2
    error_message = "control_plane_subnet_ids must be at least two, in different zones."
  }
}

variable "node_subnet_ids" {
  description = "Subnets of nodes and pods."
  type        = list(string)

  validation {
    condition     = length(var.node_subnet_ids) >= 1
    error_message = "node_subnet_ids must name a subnet."
  }
}

variable "public_access_cidrs" {
  description = "Networks that may reach the API server over the internet. None, the default: it has no public endpoint."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for c in var.public_access_cidrs : can(cidrhost(c, 0)) && tonumber(split("/", c)[1]) >= 16])
    error_message = "public_access_cidrs must be networks of /16 or smaller: offices and VPNs, not the internet."
  }
}

variable "secrets_kms_key_arn" {
  description = "Key that encrypts Kubernetes' Secrets in etcd, and the control plane's log group."
  type        = string

  validation {
    condition     = can(regex("^arn:aws[a-z-]*:kms:", var.secrets_kms_key_arn))
    error_message = "secrets_kms_key_arn must be the ARN of a KMS key."
  }
}

variable "volumes_kms_key_arn" {
  description = "Key of the nodes' volumes; it must let Auto Scaling use it."
  type        = string

  validation {
    condition     = can(regex("^arn:aws[a-z-]*:kms:", var.volumes_kms_key_arn))
    error_message = "volumes_kms_key_arn must be the ARN of a KMS key."
  }
}

variable "log_retention_in_days" {
  description = "How long the control plane's logs are kept, the audit log among them."
  type        = number
  default     = 365

  validation {
    condition     = contains([30, 60, 90, 120, 150, 180, 365, 400, 545, 731], var.log_retention_in_days)
    error_message = "log_retention_in_days must be one that CloudWatch Logs knows, 30 to 731."
  }
}

variable "access" {
  description = "Who may do what in the cluster, by a name of your choice: an IAM role or user, one of EKS' access policies, and the namespaces it holds for (none: all)."
  type = map(object({
    principal_arn = string
    policy        = string
    namespaces    = optional(list(string), [])
  }))
  default = {}

  validation {
    condition     = alltrue([for a in var.access : contains(["AmazonEKSClusterAdminPolicy", "AmazonEKSAdminPolicy", "AmazonEKSEditPolicy", "AmazonEKSViewPolicy"], a.policy)])
    error_message = "policy must be AmazonEKSClusterAdminPolicy, AmazonEKSAdminPolicy, AmazonEKSEditPolicy or AmazonEKSViewPolicy."
  }

  validation {
    condition     = alltrue([for a in var.access : can(regex("^arn:aws[a-z-]*:iam::[0-9]{12}:(role|user)/", a.principal_arn))])
    error_message = "principal_arn must be the ARN of an IAM role or user."
  }
}

variable "node_groups" {
  description = "Managed node groups by name. `min_size` to `max_size` is what the autoscaler moves in; `desired_size` holds for the start alone."
  type = map(object({
    instance_types = list(string)
    capacity_type  = optional(string, "ON_DEMAND")
    min_size       = number
    max_size       = number
    desired_size   = number
    disk_gib       = optional(number, 30)
    labels         = optional(map(string), {})
    taints = optional(list(object({
      key    = string
      value  = optional(string)
      effect = string
    })), [])
  }))

  validation {
    condition     = length(var.node_groups) > 0 && alltrue([for g in var.node_groups : contains(["ON_DEMAND", "SPOT"], g.capacity_type)])
    error_message = "capacity_type must be ON_DEMAND or SPOT, and there must be a group."
  }

  validation {
    condition     = alltrue([for g in var.node_groups : 0 <= g.min_size && g.min_size <= g.desired_size && g.desired_size <= g.max_size && g.max_size >= 1])
    error_message = "min_size <= desired_size <= max_size must hold for every group."
  }

  validation {
    condition     = alltrue([for g in var.node_groups : g.capacity_type == "ON_DEMAND" || length(g.instance_types) >= 3])
    error_message = "a spot group must name at least three instance types: with one, a shortage of it takes all nodes at once."
  }

  validation {
    condition     = alltrue(flatten([for g in var.node_groups : [for t in g.taints : contains(["NO_SCHEDULE", "PREFER_NO_SCHEDULE", "NO_EXECUTE"], t.effect)]]))
    error_message = "effect of a taint must be NO_SCHEDULE, PREFER_NO_SCHEDULE or NO_EXECUTE."
  }
}

variable "addon_versions" {
  description = "Versions of add-ons by name, `aws eks describe-addon-versions` lists them. Those that are not named get EKS' default for the cluster's version."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for name in keys(var.addon_versions) : contains(["vpc-cni", "kube-proxy", "coredns", "eks-pod-identity-agent", "aws-ebs-csi-driver", "metrics-server"], name)])
    error_message = "addon_versions must be of add-ons of this module: vpc-cni, kube-proxy, coredns, eks-pod-identity-agent, aws-ebs-csi-driver, metrics-server."
  }
}

variable "deletion_protection" {
  description = "Whether EKS refuses to delete the cluster."
  type        = bool
  default     = true
}

variable "tags" {
  description = "Tags of every resource, instances and volumes included."
  type        = map(string)
  default     = {}
}
