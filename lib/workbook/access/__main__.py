"""Install the policy simulator, as setup does: `python -m workbook.access`."""

import sys

from workbook.access.simulator_process import installed
from workbook.errors import WorkbookError

if __name__ == "__main__":
    try:
        installed()
    except WorkbookError as error:
        sys.exit(f"setup: {error}")
