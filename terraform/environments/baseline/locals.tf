# All the configuration there is. There is no replica region: the first version kept everything in one region.
locals {
  environment  = "baseline"
  project_name = "take-home"

  # Prefix of every name: alloy-{environment}-{project}.
  resource_prefix = join("-", ["alloy", local.environment, local.project_name])

  region = "us-east-1"

  # Network, next to dev's 10.0.0.0/16.
  vpc_cidr          = "10.1.0.0/16"
  availability_zone = "us-east-1a"
  subnet_cidr       = "10.1.0.0/24"

  # Port the application listens on.
  container_port = 8080

  # Whether `terraform destroy` may delete a repository that still contains images.
  force_destroy = true

  tags = {
    Project     = local.project_name
    Environment = local.environment
    Owner       = "alloy"
    ManagedBy   = "terraform"
  }
}
