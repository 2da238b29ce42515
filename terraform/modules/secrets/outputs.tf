output "arns" {
  description = "ARNs by path."
  value       = { for path, secret in aws_secretsmanager_secret.this : path => secret.arn }
}

output "names" {
  description = "Paths, as External Secrets names them."
  value       = sort(keys(var.secrets))
}
