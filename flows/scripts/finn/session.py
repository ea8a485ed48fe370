# SPDX-License-Identifier: BSD-3-Clause
"""Run scripts of this folder one after the other in one process, since FINN's imports take seconds.

    .venv-finn/bin/python session.py

Each line of the standard input is a JSON list, ``["witness.py", "MODEL.onnx", ...]``: a script and
its arguments. All output goes to the standard output. After each script it has a line ``END 0``, or
``END 1`` if the script has failed.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import traceback
from pathlib import Path

END = "\x04END"


def main() -> None:
    """Run scripts until the input ends."""
    os.dup2(1, 2)
    sys.stdout.reconfigure(line_buffering=True)
    for line in sys.stdin:
        script, *arguments = json.loads(line)
        sys.argv = [script, *arguments]
        code = 0
        try:
            importlib.import_module(Path(script).stem).main()
        except Exception:
            traceback.print_exc()
            code = 1
        sys.stderr.flush()
        print(f"\n{END} {code}", flush=True)


if __name__ == "__main__":
    main()
