# The first version of network, registry and identity, kept for comparison with the improved one in `dev`. Resources are
# written out, without modules. Only for the comparison: nothing should run in it.

terraform {
  required_version = ">= 1.10"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.100"
    }
  }

  # A bare `terraform init` keeps the state next to this file; the workbook passes its own path.
  backend "local" {}
}

provider "aws" {
  region = local.region

  # With the default of 25, a call the endpoint does not support means minutes of silence.
  max_retries = 8

  default_tags {
    tags = local.tags
  }
}

data "aws_partition" "current" {}
