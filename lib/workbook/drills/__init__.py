"""What the notebooks break on purpose, and how it is put right."""

from workbook.drills.outages import delete_bucket, deny_list
from workbook.drills.registry import push_image

__all__ = ["delete_bucket", "deny_list", "push_image"]
