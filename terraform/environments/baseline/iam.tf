# Identity, first version: one role for whatever runs here, with one broad policy.
#
# What is not here is what was improved: a permission boundary, which would hold even this policy in; and a role for each service.

# Instances and tasks share the role, so each can do what the other needs. No condition says on whose behalf the services ask.
data "aws_iam_policy_document" "trust" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["ec2.amazonaws.com", "ecs-tasks.amazonaws.com"]
    }
  }
}

resource "aws_iam_role" "service" {
  name               = "${local.resource_prefix}-service-role"
  description        = "Everything that runs in ${local.resource_prefix} runs with it"
  assume_role_policy = data.aws_iam_policy_document.trust.json
}

data "aws_iam_policy_document" "service" {
  statement {
    sid = "StorageRegistryAndLogs"
    # Wildcards on both sides, as the first version had them: any bucket, repository and log group of the account, deleting
    # included. Notebook 07 shows the claims that this fails; named actions on named resources came later.
    actions   = ["ecr:*", "logs:*", "s3:*"]
    resources = ["*"]
  }
}

# Written into the role, where managed policies that can be reviewed and attached by name came later.
resource "aws_iam_role_policy" "service" {
  name   = "${local.resource_prefix}-service-policy"
  role   = aws_iam_role.service.id
  policy = data.aws_iam_policy_document.service.json
}

# The only attachment, for a shell by Session Manager. It also reads every parameter of the account; a policy of four actions
# came later.
resource "aws_iam_role_policy_attachment" "session_manager" {
  role       = aws_iam_role.service.name
  policy_arn = "arn:${data.aws_partition.current.partition}:iam::aws:policy/AmazonSSMManagedInstanceCore"
}

resource "aws_iam_instance_profile" "service" {
  name = "${local.resource_prefix}-service-profile"
  role = aws_iam_role.service.name
}
