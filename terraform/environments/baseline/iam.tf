# Identity, first version: one role for everything that runs here, with one broad policy.
#
# What is missing is what was improved later: a permissions boundary, which would contain even this policy, and a role
# for each service.

# Instances and tasks share the role, so each can do what the other needs. No condition limits on whose behalf the
# services may assume it.
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
  description        = "Used by everything that runs in ${local.resource_prefix}"
  assume_role_policy = data.aws_iam_policy_document.trust.json
}

data "aws_iam_policy_document" "service" {
  statement {
    sid = "StorageRegistryAndLogs"
    # Wildcards on both sides, as in the first version: any bucket, repository and log group in the account, deletion
    # included. Notebook 07 shows the claims that fail because of them; named actions on named resources came later.
    actions   = ["ecr:*", "logs:*", "s3:*"]
    resources = ["*"]
  }
}

# Inline in the role; managed policies, which can be reviewed and attached by name, came later.
resource "aws_iam_role_policy" "service" {
  name   = "${local.resource_prefix}-service-policy"
  role   = aws_iam_role.service.id
  policy = data.aws_iam_policy_document.service.json
}

# The only attachment, for a Session Manager shell. It also allows reading every parameter in the account; a policy
# limited to Session Manager came later.
resource "aws_iam_role_policy_attachment" "session_manager" {
  role       = aws_iam_role.service.name
  policy_arn = "arn:${data.aws_partition.current.partition}:iam::aws:policy/AmazonSSMManagedInstanceCore"
}

resource "aws_iam_instance_profile" "service" {
  name = "${local.resource_prefix}-service-profile"
  role = aws_iam_role.service.name
}
