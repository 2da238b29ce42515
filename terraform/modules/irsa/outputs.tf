output "role_arn" {
  description = "The role; for IRSA the value of the service account's annotation `eks.amazonaws.com/role-arn`."
  value       = aws_iam_role.this.arn
}

output "role_name" {
  description = "Its name."
  value       = aws_iam_role.this.name
}
