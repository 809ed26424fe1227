# Registry, first version: a name, and AWS's defaults for everything else.
#
# As a result, tags can be moved to another image, nothing is scanned, no lifecycle policy ever removes an image, and
# without a repository policy access is whatever IAM policies in the account happen to allow. Encryption at rest is not
# set either, but AWS defaults to AES-256: that improvement changes who decides, not what happens.

resource "aws_ecr_repository" "app" {
  name         = "${local.resource_prefix}-app"
  force_delete = local.force_destroy
}
