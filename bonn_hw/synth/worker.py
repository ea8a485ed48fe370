# SPDX-License-Identifier: BSD-3-Clause
"""Run a Yosys script in a process of its own: on an error, the library ends the process."""

import sys
from pathlib import Path

from pyosys import libyosys


def main() -> None:
    """Run each line of a file; the log goes to standard output."""
    design = libyosys.Design()
    for line in Path(sys.argv[1]).read_text().splitlines():
        libyosys.run_pass(line, design)


if __name__ == "__main__":
    main()
