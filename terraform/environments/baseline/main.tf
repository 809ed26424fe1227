# The first version of network, registry and identity, kept to be held against the improved one in `dev`. Resources are written out
# here, without modules. It is for the comparison only: nothing should run in it.

terraform {
  required_version = ">= 1.10"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.100"
    }
  }

  # A bare `terraform init` keeps the state beside this file; the workbook passes a path of its own.
  backend "local" {}
}

provider "aws" {
  region = local.region

  # The default of 25 turns a call that an endpoint does not have into minutes of silence.
  max_retries = 8

  default_tags {
    tags = local.tags
  }
}

data "aws_partition" "current" {}
