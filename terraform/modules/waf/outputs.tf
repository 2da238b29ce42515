output "arn" {
  description = "The list; value of the ingress' annotation `alb.ingress.kubernetes.io/wafv2-acl-arn`."
  value       = aws_wafv2_web_acl.this.arn
}

output "name" {
  description = "Its name, as CloudWatch knows it."
  value       = aws_wafv2_web_acl.this.name
}
