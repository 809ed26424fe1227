# An ECS cluster.

# The index matches the community module's address, so that switching the module source keeps the state.
resource "aws_ecs_cluster" "this" {
  count = 1

  name = var.name

  dynamic "setting" {
    for_each = var.setting

    content {
      name  = setting.value.name
      value = setting.value.value
    }
  }

  tags = var.tags
}
