locals {
  # Needed before the first node is ready.
  addons_before_nodes = {
    "eks-pod-identity-agent" = {}
    "kube-proxy"             = {}
    "vpc-cni" = {
      # The NetworkPolicies of k8s/ do nothing without an agent that enforces them.
      configuration = { enableNetworkPolicy = "true", env = { ENABLE_PREFIX_DELEGATION = "true", WARM_PREFIX_TARGET = "1" } }
      account       = "aws-node"
    }
  }

  addons_after_nodes = {
    "coredns"        = {}
    "metrics-server" = {}
    "aws-ebs-csi-driver" = {
      account = "ebs-csi-controller-sa"
    }
  }

  addon_policies = {
    "vpc-cni"            = "${local.policies}/AmazonEKS_CNI_Policy"
    "aws-ebs-csi-driver" = "${local.policies}/service-role/AmazonEBSCSIDriverPolicy"
  }
}

resource "aws_iam_role" "addon" {
  for_each = local.addon_policies

  name        = "${var.name}-${each.key}"
  description = "The add-on ${each.key} of ${var.name}"
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "pods.eks.amazonaws.com" }
      Action    = ["sts:AssumeRole", "sts:TagSession"]
    }]
  })
  tags = var.tags
}

resource "aws_iam_role_policy_attachment" "addon" {
  for_each = local.addon_policies

  role       = aws_iam_role.addon[each.key].name
  policy_arn = each.value
}

# Volumes made for pods are encrypted with our key, which the managed policy knows nothing of.
resource "aws_iam_role_policy" "volumes_key" {
  name = "volumes-key"
  role = aws_iam_role.addon["aws-ebs-csi-driver"].id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Effect   = "Allow"
        Action   = ["kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*"]
        Resource = [var.volumes_kms_key_arn]
      },
      {
        Effect    = "Allow"
        Action    = ["kms:CreateGrant"]
        Resource  = [var.volumes_kms_key_arn]
        Condition = { Bool = { "kms:GrantIsForAWSResource" = "true" } }
      },
    ]
  })
}

resource "aws_eks_addon" "before_nodes" {
  for_each = local.addons_before_nodes

  cluster_name                = aws_eks_cluster.this.name
  addon_name                  = each.key
  addon_version               = lookup(var.addon_versions, each.key, null)
  configuration_values        = can(each.value.configuration) ? jsonencode(each.value.configuration) : null
  resolve_conflicts_on_create = "OVERWRITE"
  resolve_conflicts_on_update = "OVERWRITE"

  dynamic "pod_identity_association" {
    for_each = can(each.value.account) ? [each.value.account] : []
    content {
      role_arn        = aws_iam_role.addon[each.key].arn
      service_account = pod_identity_association.value
    }
  }

  tags = var.tags
}

resource "aws_eks_addon" "after_nodes" {
  for_each = local.addons_after_nodes

  cluster_name                = aws_eks_cluster.this.name
  addon_name                  = each.key
  addon_version               = lookup(var.addon_versions, each.key, null)
  resolve_conflicts_on_create = "OVERWRITE"
  resolve_conflicts_on_update = "OVERWRITE"

  dynamic "pod_identity_association" {
    for_each = can(each.value.account) ? [each.value.account] : []
    content {
      role_arn        = aws_iam_role.addon[each.key].arn
      service_account = pod_identity_association.value
    }
  }

  tags = var.tags

  depends_on = [aws_eks_node_group.this]
}
