# SPDX-License-Identifier: BSD-3-Clause
"""Write the table of operators into pages of the docs: ``python -m ... docs/models.md``."""

import sys
from pathlib import Path

from bonn_hw.frontend.operators import documented

for name in sys.argv[1:]:
    page = Path(name)
    page.write_text(documented(page.read_text()))
