# A repository that CI pushes to.
provider "aws" {
  region = "us-east-1"
}

module "key" {
  source = "../../../kms"

  name        = "example-images"
  description = "Images."
}

module "images" {
  source = "../.."

  name        = "example/mcp-rag"
  kms_key_arn = module.key.arn
  pushers     = ["arn:aws:iam::123456789012:role/ci"]
}

output "repository" {
  description = "For `docker push`."
  value       = module.images.repository_url
}
