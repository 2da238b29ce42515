mock_provider "aws" {}

variables {
  name              = "mcp-demo-test-backup"
  description       = "A test's role."
  namespace         = "mcp-demo"
  service_account   = "mcp-backup"
  oidc_provider_arn = "arn:aws:iam::123456789012:oidc-provider/oidc.example/id/TEST"
  oidc_issuer       = "oidc.example/id/TEST"
  statements = [{
    sid        = "WriteBackups"
    actions    = ["s3:PutObject"]
    resources  = ["arn:aws:s3:::backups/*"]
    conditions = { StringEquals = { "s3:x-amz-server-side-encryption" = "aws:kms" } }
  }]
}

run "a_token_is_good_for_one_account_and_for_sts_alone" {
  command = plan

  assert {
    condition = jsondecode(aws_iam_role.this.assume_role_policy).Statement[0].Condition.StringEquals == {
      "oidc.example/id/TEST:aud" = "sts.amazonaws.com"
      "oidc.example/id/TEST:sub" = "system:serviceaccount:mcp-demo:mcp-backup"
    }
    error_message = "audience and subject must both be compared, whole"
  }
  assert {
    condition     = length(aws_eks_pod_identity_association.this) == 0
    error_message = "IRSA needs no association"
  }
  assert {
    condition     = jsondecode(aws_iam_role_policy.this[0].policy).Statement[0].Condition.StringEquals["s3:x-amz-server-side-encryption"] == "aws:kms"
    error_message = "conditions must reach the policy"
  }
}

run "pod_identity_is_bound_to_cluster_namespace_and_account" {
  command = plan
  variables {
    oidc_provider_arn = null
    oidc_issuer       = null
    cluster_name      = "mcp-demo-test"
    statements        = []
  }

  assert {
    condition     = jsondecode(aws_iam_role.this.assume_role_policy).Statement[0].Condition.StringEquals["aws:RequestTag/kubernetes-service-account"] == "mcp-backup"
    error_message = "another account of the cluster must not have the role"
  }
  assert {
    condition     = aws_eks_pod_identity_association.this[0].namespace == "mcp-demo" && length(aws_iam_role_policy.this) == 0
    error_message = "an association, and no policy without statements"
  }
}

run "both_ways_at_once_are_refused" {
  command = plan
  variables {
    cluster_name = "mcp-demo-test"
  }
  expect_failures = [var.cluster_name]
}

run "a_provider_without_an_issuer_is_refused" {
  command = plan
  variables {
    oidc_issuer = null
  }
  expect_failures = [var.oidc_issuer]
}

run "every_namespace_is_refused" {
  command = plan
  variables {
    namespace = "*"
  }
  expect_failures = [var.namespace]
}

run "every_account_is_refused" {
  command = plan
  variables {
    service_account = "mcp-*"
  }
  expect_failures = [var.service_account]
}

run "every_action_of_a_service_is_refused" {
  command = plan
  variables {
    statements = [{ sid = "All", actions = ["s3:*"], resources = ["arn:aws:s3:::backups"] }]
  }
  expect_failures = [var.statements]
}

run "values_of_the_wrong_form_are_refused" {
  command = plan
  variables {
    name = "a role"
  }
  expect_failures = [
    var.name,
  ]
}

run "the_example_plans" {
  command = plan
  module {
    source = "./examples/basic"
  }
}
