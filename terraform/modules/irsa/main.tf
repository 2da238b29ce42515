# A role for one service account of one namespace, by either way that EKS knows:
#   IRSA          the account's token is exchanged at STS; the account is annotated with the role
#   Pod Identity  an agent on the node does it; the cluster knows the association

locals {
  trust = var.cluster_name != null ? {
    Effect    = "Allow"
    Principal = { Service = "pods.eks.amazonaws.com" }
    Action    = ["sts:AssumeRole", "sts:TagSession"]
    # The association names the cluster, the namespace and the account; so does the session that comes of it.
    Condition = { StringEquals = {
      "aws:RequestTag/eks-cluster-name"           = var.cluster_name
      "aws:RequestTag/kubernetes-namespace"       = var.namespace
      "aws:RequestTag/kubernetes-service-account" = var.service_account
    } }
    } : {
    Effect    = "Allow"
    Principal = { Federated = var.oidc_provider_arn }
    Action    = ["sts:AssumeRoleWithWebIdentity"]
    Condition = { StringEquals = {
      "${coalesce(var.oidc_issuer, "none")}:aud" = "sts.amazonaws.com"
      "${coalesce(var.oidc_issuer, "none")}:sub" = "system:serviceaccount:${var.namespace}:${var.service_account}"
    } }
  }
}

resource "aws_iam_role" "this" {
  name                 = var.name
  description          = var.description
  max_session_duration = 3600
  assume_role_policy   = jsonencode({ Version = "2012-10-17", Statement = [local.trust] })
  tags                 = var.tags
}

resource "aws_iam_role_policy" "this" {
  count = length(var.statements) > 0 ? 1 : 0

  name = "access"
  role = aws_iam_role.this.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [for s in var.statements : merge(
      { Sid = s.sid, Effect = "Allow", Action = s.actions, Resource = s.resources },
      length(s.conditions) == 0 ? null : { Condition = s.conditions },
    )]
  })
}

resource "aws_iam_role_policy_attachment" "this" {
  for_each = var.policy_arns

  role       = aws_iam_role.this.name
  policy_arn = each.value
}

resource "aws_eks_pod_identity_association" "this" {
  count = var.cluster_name != null ? 1 : 0

  cluster_name    = var.cluster_name
  namespace       = var.namespace
  service_account = var.service_account
  role_arn        = aws_iam_role.this.arn
  tags            = var.tags
}
