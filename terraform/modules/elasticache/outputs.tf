output "id" {
  description = "Name of the replication group."
  value       = aws_elasticache_replication_group.this.replication_group_id
}

output "node_ids" {
  description = "Names of its nodes, as CloudWatch knows them."
  value       = [for i in range(var.nodes) : format("%s-%03d", var.name, i + 1)]
}

output "address" {
  description = "Host of the primary; it stays when another node takes over."
  value       = aws_elasticache_replication_group.this.primary_endpoint_address
}

output "user_name" {
  description = "User of the server."
  value       = aws_elasticache_user.server.user_name
}

output "user_id" {
  description = "Its id, for `aws elasticache modify-user`."
  value       = aws_elasticache_user.server.user_id
}

output "first_url" {
  description = "`redis.url` until the password is changed for the first time."
  value       = "rediss://mcp-rag:${random_password.first.result}@${aws_elasticache_replication_group.this.primary_endpoint_address}:6379"
  sensitive   = true
}

output "security_group_id" {
  description = "Its security group."
  value       = aws_security_group.this.id
}
