"""What the notebooks break on purpose, and how it is undone."""

from workbook.drills.images import push_image
from workbook.drills.outages import delete_bucket, deny_list

__all__ = ["delete_bucket", "deny_list", "push_image"]
