output "identifier" {
  description = "Name of the instance."
  value       = aws_db_instance.this.identifier
}

output "arn" {
  description = "Its ARN."
  value       = aws_db_instance.this.arn
}

output "address" {
  description = "Host of the writer."
  value       = aws_db_instance.this.address
}

output "replica_identifiers" {
  description = "Names of the replicas."
  value       = [for i in range(var.replicas) : "${var.name}-replica-${i + 1}"]
}

output "replica_addresses" {
  description = "Hosts of the replicas."
  value       = aws_db_instance.replica[*].address
}

output "database_name" {
  description = "The database."
  value       = var.database_name
}

output "resource_id" {
  description = "What `rds-db:connect` names the instance by."
  value       = aws_db_instance.this.resource_id
}

output "security_group_id" {
  description = "Its security group."
  value       = aws_security_group.this.id
}

output "master_secret_arn" {
  description = "Secret with the master password."
  value       = local.master_secret
}
