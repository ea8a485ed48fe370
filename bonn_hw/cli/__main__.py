# SPDX-License-Identifier: BSD-3-Clause
"""``python -m bonn_hw.cli``: runs the command without an installed script."""

import sys

from bonn_hw.cli.main import main

sys.exit(main())
