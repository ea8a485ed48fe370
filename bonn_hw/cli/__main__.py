# SPDX-License-Identifier: BSD-3-Clause
"""``python -m bonn_hw.cli``: the command where no script is installed."""

import sys

from bonn_hw.cli.main import main

sys.exit(main())
