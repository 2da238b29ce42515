data "aws_caller_identity" "current" {}

resource "aws_ecr_repository" "this" {
  name         = var.name
  force_delete = var.force_delete
  # A tag means one image for ever; manifests name digests anyway.
  image_tag_mutability = "IMMUTABLE"
  tags                 = merge(var.tags, { Name = var.name })

  image_scanning_configuration {
    scan_on_push = true
  }

  encryption_configuration {
    encryption_type = "KMS"
    kms_key         = var.kms_key_arn
  }
}

resource "aws_ecr_lifecycle_policy" "this" {
  repository = aws_ecr_repository.this.name
  policy = jsonencode({ rules = [
    {
      rulePriority = 1
      description  = "Releases that a rollback may want"
      selection    = { tagStatus = "tagged", tagPatternList = ["v*"], countType = "imageCountMoreThan", countNumber = var.keep_releases }
      action       = { type = "expire" }
    },
    {
      rulePriority = 2
      description  = "What lost its tag"
      selection    = { tagStatus = "untagged", countType = "sinceImagePushed", countUnit = "days", countNumber = var.untagged_days }
      action       = { type = "expire" }
    },
  ] })
}

resource "aws_ecr_repository_policy" "this" {
  repository = aws_ecr_repository.this.name
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [for s in [
      {
        wanted = true
        statement = {
          Sid       = "OtherAccountsAreNoneOfOurs"
          Effect    = "Deny"
          Principal = "*"
          Action    = "ecr:*"
          Condition = {
            StringNotEquals = { "aws:PrincipalAccount" = data.aws_caller_identity.current.account_id }
            Bool            = { "aws:PrincipalIsAWSService" = "false" }
          }
        }
      },
      {
        wanted = length(var.pushers) > 0
        statement = {
          Sid       = "Push"
          Effect    = "Allow"
          Principal = { AWS = var.pushers }
          Action    = ["ecr:BatchCheckLayerAvailability", "ecr:CompleteLayerUpload", "ecr:InitiateLayerUpload", "ecr:PutImage", "ecr:UploadLayerPart"]
        }
      },
    ] : s.statement if s.wanted]
  })
}
