mock_provider "aws" {
  mock_data "aws_region" {
    defaults = { region = "us-east-1" }
  }
}

variables {
  name                = "mcp-demo-test"
  cidr                = "10.40.0.0/16"
  availability_zones  = ["us-east-1a", "us-east-1b", "us-east-1c"]
  interface_endpoints = ["ecr.api", "secretsmanager"]
  kms_key_arn         = "arn:aws:kms:us-east-1:123456789012:key/logs"
}

run "every_zone_has_its_own_nat_gateway_by_default" {
  command = plan

  assert {
    condition     = length(aws_nat_gateway.this) == 3 && length(aws_route.nat) == 3
    error_message = "three zones, three gateways, a route to each"
  }
  assert {
    condition     = aws_eip.nat["us-east-1b"].domain == "vpc"
    error_message = "an address for each gateway"
  }
}

run "subnets_do_not_overlap_and_databases_have_their_own" {
  command = plan

  assert {
    condition = length(distinct(concat(
      [for s in aws_subnet.public : s.cidr_block], [for s in aws_subnet.private : s.cidr_block],
      [for s in aws_subnet.database : s.cidr_block], [for s in aws_subnet.intra : s.cidr_block],
    ))) == 12
    error_message = "four kinds in three zones"
  }
  assert {
    condition     = aws_subnet.private["us-east-1c"].cidr_block == "10.40.32.0/20" && aws_subnet.public["us-east-1a"].cidr_block == "10.40.64.0/24"
    error_message = "the plan of addresses must not move"
  }
  assert {
    condition     = alltrue([for s in aws_subnet.public : !s.map_public_ip_on_launch])
    error_message = "nothing gets a public address unasked"
  }
}

run "flow_logs_see_everything_and_the_default_group_lets_nothing_through" {
  command = plan

  assert {
    condition     = aws_flow_log.this.traffic_type == "ALL" && aws_cloudwatch_log_group.flow.kms_key_id == var.kms_key_arn
    error_message = "flow logs must be whole and encrypted"
  }
  assert {
    # Neither is written down, so the provider removes what AWS put there.
    condition     = length(aws_default_route_table.closed.route) == 0
    error_message = "the default route table must have no route"
  }
}

run "endpoints_are_private" {
  command = plan

  assert {
    condition     = length(aws_vpc_endpoint.interface) == 2 && alltrue([for e in aws_vpc_endpoint.interface : e.private_dns_enabled])
    error_message = "names of services must lead to the endpoints"
  }
  assert {
    condition     = aws_vpc_endpoint.s3.vpc_endpoint_type == "Gateway" && aws_vpc_endpoint.s3.service_name == "com.amazonaws.us-east-1.s3"
    error_message = "S3 has a gateway"
  }
}

run "one_gateway_serves_all_zones" {
  command = plan
  variables {
    nat_gateways = "single"
  }

  assert {
    condition     = keys(aws_nat_gateway.this) == ["us-east-1a"] && length(aws_route.nat) == 3
    error_message = "one gateway, a route from every zone"
  }
}

run "without_nat_there_is_no_way_out" {
  command = plan
  variables {
    nat_gateways = "none"
  }

  assert {
    condition     = length(aws_nat_gateway.this) == 0 && length(aws_route.nat) == 0
    error_message = "no gateway, no route"
  }
}

run "one_zone_is_refused" {
  command = plan
  variables {
    availability_zones = ["us-east-1a"]
  }
  expect_failures = [var.availability_zones]
}

run "public_addresses_are_refused" {
  command = plan
  variables {
    cidr = "52.10.0.0/16"
  }
  expect_failures = [var.cidr]
}

run "a_small_network_is_refused" {
  command = plan
  variables {
    cidr = "10.0.0.0/20"
  }
  expect_failures = [var.cidr]
}

run "an_unknown_kind_of_nat_is_refused" {
  command = plan
  variables {
    nat_gateways = "two"
  }
  expect_failures = [var.nat_gateways]
}

run "an_interface_for_s3_is_refused" {
  command = plan
  variables {
    interface_endpoints = ["s3"]
  }
  expect_failures = [var.interface_endpoints]
}

run "a_retention_that_cloudwatch_does_not_know_is_refused" {
  command = plan
  variables {
    flow_log_retention_in_days = 7
  }
  expect_failures = [var.flow_log_retention_in_days]
}

run "something_other_than_a_key_is_refused" {
  command = plan
  variables {
    kms_key_arn = "alias/logs"
  }
  expect_failures = [var.kms_key_arn]
}

run "values_of_the_wrong_form_are_refused" {
  command = plan
  variables {
    name = "VPC"
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
