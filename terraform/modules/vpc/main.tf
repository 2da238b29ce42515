# Four kinds of subnets in every zone:
#   public    load balancers and NAT gateways, nothing of ours
#   private   nodes and pods; out through NAT
#   database  PostgreSQL and Redis; no way out, no way in but from the network
#   intra     the control plane's interfaces; no way out
# The plan for a /16: /20 for private (4,091 pods each), /24 for the others, room for four zones.

data "aws_region" "current" {}

locals {
  zones = { for i, zone in var.availability_zones : zone => {
    private  = cidrsubnet(var.cidr, 4, i)
    public   = cidrsubnet(var.cidr, 8, 64 + i)
    database = cidrsubnet(var.cidr, 8, 68 + i)
    intra    = cidrsubnet(var.cidr, 8, 72 + i)
  } }

  nat_zones = {
    none   = []
    single = [var.availability_zones[0]]
    per_az = var.availability_zones
  }[var.nat_gateways]
}

resource "aws_vpc" "this" {
  cidr_block           = var.cidr
  enable_dns_support   = true
  enable_dns_hostnames = true
  tags                 = merge(var.tags, { Name = var.name })
}

# Whatever forgets to name a security group gets this one, which lets nothing in or out.
resource "aws_default_security_group" "closed" {
  vpc_id = aws_vpc.this.id
  tags   = merge(var.tags, { Name = "${var.name}-default-closed" })
}

resource "aws_default_route_table" "closed" {
  default_route_table_id = aws_vpc.this.default_route_table_id
  route                  = []
  tags                   = merge(var.tags, { Name = "${var.name}-default-closed" })
}

resource "aws_internet_gateway" "this" {
  vpc_id = aws_vpc.this.id
  tags   = merge(var.tags, { Name = var.name })
}

resource "aws_subnet" "public" {
  for_each = local.zones

  vpc_id                  = aws_vpc.this.id
  availability_zone       = each.key
  cidr_block              = each.value.public
  map_public_ip_on_launch = false
  tags                    = merge(var.tags, { Name = "${var.name}-public-${each.key}", "kubernetes.io/role/elb" = "1" })
}

resource "aws_subnet" "private" {
  for_each = local.zones

  vpc_id            = aws_vpc.this.id
  availability_zone = each.key
  cidr_block        = each.value.private
  tags              = merge(var.tags, { Name = "${var.name}-private-${each.key}", "kubernetes.io/role/internal-elb" = "1" })
}

resource "aws_subnet" "database" {
  for_each = local.zones

  vpc_id            = aws_vpc.this.id
  availability_zone = each.key
  cidr_block        = each.value.database
  tags              = merge(var.tags, { Name = "${var.name}-database-${each.key}" })
}

resource "aws_subnet" "intra" {
  for_each = local.zones

  vpc_id            = aws_vpc.this.id
  availability_zone = each.key
  cidr_block        = each.value.intra
  tags              = merge(var.tags, { Name = "${var.name}-intra-${each.key}" })
}
