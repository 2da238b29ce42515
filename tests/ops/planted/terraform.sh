#!/bin/sh
# Mistakes in terraform/, each caught by the tool it is for.
part=terraform
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
copies terraform docs/costs.csv docs/savings.csv docs/COST_OPTIMIZATION.md

# in_folder FOLDER: looks at one module alone, since a mistake of one is not found by looking at all.
in_folder() { VERIFY_FOLDER=$1; export VERIFY_FOLDER; }

unset VERIFY_FOLDER
sound "terraform/ has nothing to be found, by what is fast" 'layout|cost|terraform (fmt|validate|plan)'

# How it is written.
plant "an unformatted file" "terraform fmt" 'rds/main\.tf' \
  terraform/modules/rds/main.tf 's/^  multi_az               =/  multi_az =/'
plant "a variable that nobody explained" layout 'variable nodes has no description' \
  terraform/modules/elasticache/variables.tf '/^variable "nodes"/,/^}/s/description = .*/description = ""/'
plant "a variable without a type" layout 'variable nodes has no type' \
  terraform/modules/elasticache/variables.tf '/^variable "nodes"/,/^}/{/  type /d;}'
plant "a variable that is used nowhere" layout 'variable web_requests_per_5_minutes is not used' \
  terraform/main.tf '/web_requests_per_5_minutes/d'
plant "a README that shows another default" layout 'README\.md shows other variables' \
  terraform/modules/rds/variables.tf '/^variable "backup_retention_days"/,/^}/s/= 14$/= 7/'
plant "a provider of any version" layout 'modules/waf: versions\.tf pins' \
  terraform/modules/waf/versions.tf 's/"~> 6\.25"/">= 5.0"/'
plant "a value that no test expects to be refused" layout 'no test expects variable name to refuse' \
  terraform/modules/irsa/tests/irsa.tftest.hcl 's/var\.name,?$/var.names/'
plant "every right over a service" layout 'identities\.tf:[0-9]+ allows every action' \
  terraform/identities.tf 's/^(          )"secretsmanager:DescribeSecret".*$/\1"secretsmanager:*",/'

# Whether it means anything.
in_folder terraform
plant "a version of the provider that does not exist" "terraform init" 'no available releases match|could not be found|does not have a provider|no releases' \
  terraform/versions.tf 's/"6\.25\.0"/"6.25.99"/'
plant "an output that a module does not have" "terraform validate" 'Unsupported attribute' \
  terraform/main.tf 's/module\.vpc\.private_subnet_ids/module.vpc.private_subnets/'
in_folder modules/eks
plant "an argument with a typing mistake" "terraform validate" 'Unsupported argument' \
  terraform/modules/eks/main.tf 's/^  deletion_protection  /  deletion_protecton   /'
plant "a block of another name" "terraform validate" 'Unsupported block type' \
  terraform/modules/eks/nodes.tf 's/^  metadata_options \{/  metadata_option {/'
plant "a block that is needed and not there" "terraform validate" 'Insufficient scaling_config blocks|scaling_config' \
  terraform/modules/eks/nodes.tf '/^  scaling_config \{/,/^  \}/d'
in_folder modules/rds
plant "a value of the wrong type" "terraform validate" 'Incorrect attribute value type' \
  terraform/modules/rds/main.tf 's/= var\.backup_retention_days$/= "a fortnight"/'

# Whether it does what its tests say.
in_folder modules/vpc
plant "a value that is not refused any more" "terraform test" 'an_unknown_kind_of_nat_is_refused' \
  terraform/modules/vpc/variables.tf '/contains\(\["none"/s/"none"/"none", "two"/'
in_folder modules/s3
plant "a bucket policy that lets plain HTTP through" "terraform test" 'nothing_is_public_in_the_clear' \
  terraform/modules/s3/main.tf 's/Sid       = "NothingInTheClear"/Sid       = "Nothing"/'
in_folder modules/rds
plant "statements in the log with what was asked" "terraform test" 'keep_content_out_of_the_log' \
  terraform/modules/rds/parameters.tf 's/("log_parameter_max_length" .*)"0"/\1"-1"/'

# What an environment would become.
in_folder terraform
plant "a value that the variables refuse" "terraform plan prod" 'nat_gateways must be|needs three zones and a NAT gateway' \
  terraform/environments/prod.tfvars 's/"per_az"/"two"/'
plant "an environment that is less than it is to be" "terraform plan staging" 'staging: nat is 0, not 1' \
  terraform/environments/staging.tfvars 's/"single"/"none"/'
plant "a disk of nodes in the clear" "terraform plan dev" 'starts volumes in the clear' \
  terraform/modules/eks/nodes.tf 's/^      encrypted .*= true$/      encrypted = false/'
plant "pods that can take the node's role" "terraform plan dev" 'gives pods the node.s role' \
  terraform/modules/eks/nodes.tf 's/(http_put_response_hop_limit = )1/\12/'
plant "a resource without tags" "terraform plan dev" 'lacks the tags' \
  terraform/modules/monitoring/topics.tf '/^  tags /d'
plant "a bucket that is not encrypted" "terraform plan dev" 'has no server_side_encryption_configuration' \
  terraform/modules/s3/main.tf '/^resource "aws_s3_bucket_server_side_encryption/,/^\}/d'
plant "every right over a service, for an account" "terraform plan prod" 'actions must be named' \
  terraform/identities.tf 's/"secretsmanager:GetSecretValue"\], resources/"secretsmanager:*"], resources/'
plant "a role for everybody" "terraform plan dev" 'assume_role_policy lets anybody in' \
  terraform/modules/eks/main.tf 's/Principal = \{ Service = "eks\.amazonaws\.com" \}/Principal = "*"/'

plant "an endpoint that the cost page knows nothing of" "costs of the plans" 'interface endpoints in each zone: docs/costs.csv has 8, the plan 10' \
  terraform/environments/staging.tfvars 's/"secretsmanager", "sts"/"kms", "secretsmanager", "sts"/'
plant "a class that the cost page knows nothing of" "costs of the plans" 'the plan has db\.r5\.xlarge' \
  terraform/environments/prod.tfvars 's/db\.r5\.large/db.r5.xlarge/'
plant "a price that the cost page does not show" "cost page" 'the table prod is not what' \
  docs/costs.csv 's/^(prod,.*EKS control plane.*),0\.1$/\1,0.6/'

# What checkov knows.
in_folder modules/rds
plant "a database that is not encrypted" checkov 'CKV_AWS_16' \
  terraform/modules/rds/main.tf 's/^  storage_encrypted .*= true$/  storage_encrypted = false/'
in_folder modules/s3
plant "a bucket that could be made public" checkov 'CKV_AWS_56' \
  terraform/modules/s3/main.tf 's/^  restrict_public_buckets = true/  restrict_public_buckets = false/'
in_folder modules/eks
plant "an API server on the internet" checkov 'CKV_AWS_39|CKV_AWS_38' \
  terraform/modules/eks/main.tf 's/endpoint_public_access .*/endpoint_public_access = true/'
finish
