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
    error_message = "The root file system is read-only unless something else is asked for."
  }

  assert {
    condition     = module.service["web"].container_definitions["app"].container_definition.environment[*].name == ["A", "B"]
    error_message = "The environment is in the order in which it reads back."
  }

  assert {
    condition     = !can(module.service["web"].container_definitions["app"].container_definition.healthCheck)
    error_message = "What is not set is not in the definition."
  }

  assert {
    condition     = module.service["web"].container_definitions["app"].cloudwatch_log_group_name == "/aws/ecs/web/app"
    error_message = "A container has a log group of its own unless it is told otherwise."
  }
}

run "memory_that_fargate_does_not_have_and_role_to_be_made_here" {
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

run "exec_on_a_read_only_root" {
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

run "image_that_changes_by_itself" {
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

run "volume_that_is_not_there" {
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

run "load_balancer_without_that_port" {
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

run "fewer_tasks_than_the_minimum" {
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
