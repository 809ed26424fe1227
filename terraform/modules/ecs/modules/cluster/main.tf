# An ECS cluster.

# The index is the community module's address, so that a change of module source keeps the state.
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
