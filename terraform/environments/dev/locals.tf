# All the configuration there is. To add an environment, copy this directory and change `environment` here.
locals {
  environment  = "dev"
  project_name = "take-home"

  # Prefix of every name: alloy-{environment}-{project}.
  resource_prefix = join("-", ["alloy", local.environment, local.project_name])

  # Region of the stack, and of the replica that survives if that region is lost. Destroy before you change them: a stack
  # does not move.
  region         = "us-east-1"
  replica_region = "us-west-2"

  # Network
  vpc_cidr           = "10.0.0.0/16"
  availability_zones = ["us-east-1a", "us-east-1b", "us-east-1c"]
  public_subnets     = ["10.0.0.0/24", "10.0.1.0/24", "10.0.2.0/24"]
  private_subnets    = ["10.0.10.0/23", "10.0.12.0/23", "10.0.14.0/23"]
  # One NAT gateway is cheaper; one per zone survives the loss of a zone.
  one_nat_gateway_per_az = false

  # Container
  container_image   = "public.ecr.aws/aws-cli/aws-cli:2.31.21"
  container_port    = 8080
  container_cpu     = 256
  container_memory  = 512
  desired_count     = 2
  autoscaling_max   = 6
  check_interval    = 30
  health_check_path = "/health"

  # A shell in a running task, as root. AWS's agent for it has to write to the root file system, so this makes it writable.
  # Not tried on AWS: whether the agent starts in a container without Linux capabilities. If it does not, drop
  # fewer of them in ecs.tf while you debug.
  enable_execute_command = false

  # ARN of an ACM certificate. If empty, the load balancer listens on HTTP only, since a certificate needs a domain.
  certificate_arn = ""

  # Address ranges that may reach the application. The take-home's load balancer is public. With three zones, the network
  # ACLs have room for 12 ranges, or 7 with HTTPS.
  allowed_cidrs = ["0.0.0.0/0"]

  # Days to keep logs in CloudWatch Logs.
  log_retention_days = 30

  # ARNs of roles or users, besides the caller, that keep access to the buckets from outside the VPC, including other
  # identities that run Terraform.
  deployer_arns = []

  # Whether `terraform destroy` may delete buckets and repositories that are not empty.
  force_destroy = true

  tags = {
    Project     = local.project_name
    Environment = local.environment
    Owner       = "alloy"
    ManagedBy   = "terraform"
  }
}
