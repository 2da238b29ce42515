output "id" {
  description = "The network."
  value       = aws_vpc.this.id
}

output "cidr" {
  description = "Its addresses."
  value       = var.cidr
}

output "availability_zones" {
  description = "Its zones."
  value       = var.availability_zones
}

output "public_subnet_ids" {
  description = "Subnets of load balancers."
  value       = [for zone in var.availability_zones : aws_subnet.public[zone].id]
}

output "private_subnet_ids" {
  description = "Subnets of nodes and pods."
  value       = [for zone in var.availability_zones : aws_subnet.private[zone].id]
}

output "database_subnet_ids" {
  description = "Subnets of PostgreSQL and Redis."
  value       = [for zone in var.availability_zones : aws_subnet.database[zone].id]
}

output "intra_subnet_ids" {
  description = "Subnets of the control plane's interfaces."
  value       = [for zone in var.availability_zones : aws_subnet.intra[zone].id]
}

output "nat_gateway_ids" {
  description = "NAT gateways by zone."
  value       = { for zone, gateway in aws_nat_gateway.this : zone => gateway.id }
}

output "nat_public_ips" {
  description = "Addresses that others see when pods call them; to be allowed there."
  value       = [for address in aws_eip.nat : address.public_ip]
}
