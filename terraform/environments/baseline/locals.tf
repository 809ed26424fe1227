# The only configuration. There is no replica region: the first version kept everything in one.
locals {
  environment  = "baseline"
  project_name = "take-home"

  # Every name starts with this: alloy-{environment}-{project}.
  resource_prefix = join("-", ["alloy", local.environment, local.project_name])

  region = "us-east-1"

  # Network; beside that of dev, 10.0.0.0/16.
  vpc_cidr          = "10.1.0.0/16"
  availability_zone = "us-east-1a"
  subnet_cidr       = "10.1.0.0/24"

  # Port that the application listens on.
  container_port = 8080

  # Whether `terraform destroy` may delete a repository that still holds images.
  force_destroy = true

  tags = {
    Project     = local.project_name
    Environment = local.environment
    Owner       = "alloy"
    ManagedBy   = "terraform"
  }
}
