mock_provider "aws" {
  mock_data "aws_region" {
    defaults = { id = "us-east-1" }
  }

  mock_resource "aws_ecs_cluster" {
    defaults = { arn = "arn:aws:ecs:us-east-1:123456789012:cluster/alloy-test" }
  }

  mock_resource "aws_ecs_task_definition" {
    defaults = { arn = "arn:aws:ecs:us-east-1:123456789012:task-definition/web:1" }
  }
}

variables {
  cluster_name = "alloy-test"

  services = {
    web = {
      cpu                    = 256
      memory                 = 512
      task_exec_iam_role_arn = "arn:aws:iam::123456789012:role/execution"
      tasks_iam_role_arn     = "arn:aws:iam::123456789012:role/task"
      subnet_ids             = ["subnet-a"]
      security_group_ids     = ["sg-a"]
      container_definitions = {
        app = {
          image       = "public.ecr.aws/docker/library/busybox:1.36"
          environment = [{ name = "B", value = "2" }, { name = "A", value = "1" }]
        }
      }
    }
  }
}

run "safe_by_default" {
  assert {
    condition     = module.service["web"].container_definitions["app"].container_definition.readonlyRootFilesystem
    error_message = "By default, the root file system is read-only."
  }

  assert {
    condition     = module.service["web"].container_definitions["app"].container_definition.environment[*].name == ["A", "B"]
    error_message = "The environment is sorted, as it reads back from ECS."
  }

  assert {
    condition     = !can(module.service["web"].container_definitions["app"].container_definition.healthCheck)
    error_message = "Unset attributes are left out of the definition."
  }

  assert {
    condition     = module.service["web"].container_definitions["app"].cloudwatch_log_group_name == "/aws/ecs/web/app"
    error_message = "By default, a container has its own log group."
  }
}

run "unsupported_memory_and_role_creation" {
  command = plan

  variables {
    create_task_exec_iam_role = true
    services = {
      web = {
        cpu                    = 256
        memory                 = 4096
        task_exec_iam_role_arn = "arn:aws:iam::123456789012:role/execution"
        tasks_iam_role_arn     = "arn:aws:iam::123456789012:role/task"
        subnet_ids             = ["subnet-a"]
        security_group_ids     = ["sg-a"]
        container_definitions  = { app = { image = "public.ecr.aws/docker/library/busybox:1.36" } }
      }
    }
  }

  expect_failures = [var.services, var.create_task_exec_iam_role]
}

run "exec_with_read_only_root" {
  command = plan

  variables {
    services = {
      web = {
        enable_execute_command = true
        task_exec_iam_role_arn = "arn:aws:iam::123456789012:role/execution"
        tasks_iam_role_arn     = "arn:aws:iam::123456789012:role/task"
        subnet_ids             = ["subnet-a"]
        security_group_ids     = ["sg-a"]
        container_definitions  = { app = { image = "public.ecr.aws/docker/library/busybox:1.36" } }
      }
    }
  }

  expect_failures = [var.services]
}

run "image_tag_latest" {
  command = plan

  variables {
    services = {
      web = {
        task_exec_iam_role_arn = "arn:aws:iam::123456789012:role/execution"
        tasks_iam_role_arn     = "arn:aws:iam::123456789012:role/task"
        subnet_ids             = ["subnet-a"]
        security_group_ids     = ["sg-a"]
        container_definitions  = { app = { image = "public.ecr.aws/docker/library/busybox:latest" } }
      }
    }
  }

  expect_failures = [var.services]
}

run "undeclared_volume" {
  command = plan

  variables {
    services = {
      web = {
        task_exec_iam_role_arn = "arn:aws:iam::123456789012:role/execution"
        tasks_iam_role_arn     = "arn:aws:iam::123456789012:role/task"
        subnet_ids             = ["subnet-a"]
        security_group_ids     = ["sg-a"]
        container_definitions = {
          app = {
            image       = "public.ecr.aws/docker/library/busybox:1.36"
            mountPoints = [{ sourceVolume = "pages", containerPath = "/pages" }]
          }
        }
      }
    }
  }

  expect_failures = [var.services]
}

run "load_balancer_with_unmapped_port" {
  command = plan

  variables {
    services = {
      web = {
        task_exec_iam_role_arn = "arn:aws:iam::123456789012:role/execution"
        tasks_iam_role_arn     = "arn:aws:iam::123456789012:role/task"
        subnet_ids             = ["subnet-a"]
        security_group_ids     = ["sg-a"]
        load_balancer          = { app = { target_group_arn = "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/a/0", container_name = "app", container_port = 80 } }
        container_definitions = {
          app = {
            image        = "public.ecr.aws/docker/library/busybox:1.36"
            portMappings = [{ containerPort = 8080 }]
          }
        }
      }
    }
  }

  expect_failures = [var.services]
}

run "desired_count_below_minimum" {
  command = plan

  variables {
    services = {
      web = {
        desired_count            = 1
        autoscaling_min_capacity = 2
        task_exec_iam_role_arn   = "arn:aws:iam::123456789012:role/execution"
        tasks_iam_role_arn       = "arn:aws:iam::123456789012:role/task"
        subnet_ids               = ["subnet-a"]
        security_group_ids       = ["sg-a"]
        container_definitions    = { app = { image = "public.ecr.aws/docker/library/busybox:1.36" } }
      }
    }
  }

  expect_failures = [var.services]
}
