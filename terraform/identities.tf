# Who in the cluster may do what in AWS. The server and its workers have no role at all: their secrets are files, and nothing
# else of AWS is theirs to call.

locals {
  # k8s/ annotates these with their role (IRSA).
  accounts = {
    # k8s/components/external-secrets reads with this account's rights.
    external-secrets = {
      service_account = "mcp-secrets"
      description     = "Reads the secrets of mcp-demo for External Secrets"
      statements = [
        { sid = "Read", actions = ["secretsmanager:DescribeSecret", "secretsmanager:GetSecretValue"], resources = values(module.secrets.arns) },
        { sid = "Decrypt", actions = ["kms:Decrypt"], resources = [module.keys["secrets"].arn] },
      ]
    }
    backup = {
      service_account = "mcp-backup"
      description     = "Writes, verifies and retires backups"
      statements = [
        { sid = "List", actions = ["s3:ListBucket"], resources = [module.backups.arn] },
        # A deletion leaves the locked version behind; removing versions is nobody's.
        { sid = "Keep", actions = ["s3:AbortMultipartUpload", "s3:DeleteObject", "s3:GetObject", "s3:PutObject"], resources = ["${module.backups.arn}/*"] },
        { sid = "Encrypt", actions = ["kms:Decrypt", "kms:GenerateDataKey"], resources = [module.keys["backups"].arn] },
      ]
    }
  }
}

module "accounts" {
  source   = "./modules/irsa"
  for_each = local.accounts

  name              = "${local.name}-${each.key}"
  description       = each.value.description
  namespace         = local.namespace
  service_account   = each.value.service_account
  oidc_provider_arn = module.eks.oidc_provider_arn
  oidc_issuer       = module.eks.oidc_issuer
  statements        = each.value.statements
  tags              = local.tags
}

# Add-ons that come by Helm find their role by Pod Identity, without a value in their chart.
module "cluster_autoscaler" {
  source = "./modules/irsa"

  name            = "${local.name}-cluster-autoscaler"
  description     = "Adds and removes nodes of ${local.name}"
  namespace       = "kube-system"
  service_account = "cluster-autoscaler"
  cluster_name    = module.eks.name
  statements = [
    {
      sid = "Look"
      actions = [
        "autoscaling:DescribeAutoScalingGroups", "autoscaling:DescribeAutoScalingInstances", "autoscaling:DescribeLaunchConfigurations",
        "autoscaling:DescribeScalingActivities", "ec2:DescribeImages", "ec2:DescribeInstanceTypes", "ec2:DescribeLaunchTemplateVersions",
        "ec2:GetInstanceTypesFromInstanceRequirements", "eks:DescribeNodegroup",
      ]
      resources = ["*"]
    },
    {
      sid        = "Scale"
      actions    = ["autoscaling:SetDesiredCapacity", "autoscaling:TerminateInstanceInAutoScalingGroup"]
      resources  = ["*"]
      conditions = { StringEquals = { "aws:ResourceTag/k8s.io/cluster-autoscaler/${local.name}" = "owned" } }
    },
  ]
  tags = local.tags
}

module "load_balancer_controller" {
  source = "./modules/irsa"
  count  = var.load_balancer_controller_policy_arn == null ? 0 : 1

  name            = "${local.name}-load-balancers"
  description     = "The AWS Load Balancer Controller of ${local.name}"
  namespace       = "kube-system"
  service_account = "aws-load-balancer-controller"
  cluster_name    = module.eks.name
  policy_arns     = { published = var.load_balancer_controller_policy_arn }
  tags            = local.tags
}

# For whoever runs scripts/rotate-secrets.sh; to be attached to a role of people or of CI.
resource "aws_iam_policy" "rotate_secrets" {
  name        = "${local.name}-rotate-secrets"
  description = "Changes the secrets of ${local.name}"
  tags        = local.tags
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid    = "Change"
        Effect = "Allow"
        Action = [
          "secretsmanager:DescribeSecret", "secretsmanager:GetSecretValue", "secretsmanager:PutSecretValue", "secretsmanager:UpdateSecretVersionStage",
        ]
        Resource = values(module.secrets.arns)
      },
      {
        Sid      = "Key"
        Effect   = "Allow"
        Action   = ["kms:Decrypt", "kms:GenerateDataKey"]
        Resource = [module.keys["secrets"].arn]
      },
      {
        Sid      = "PasswordOfTheCache"
        Effect   = "Allow"
        Action   = ["elasticache:DescribeUsers", "elasticache:ModifyUser"]
        Resource = ["arn:aws:elasticache:${var.region}:${var.account_id}:user:${module.elasticache.user_id}"]
      },
    ]
  })
}
