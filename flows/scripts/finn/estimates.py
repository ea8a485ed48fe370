# SPDX-License-Identifier: BSD-3-Clause
"""What FINN answers and estimates for a hardware graph; in the environment of `make finn-env`.

    .venv-finn/bin/python estimates.py HARDWARE.onnx FRAMES.npy FOLDER FOLDING.json PART

Writes FOLDER/answers.npy and FOLDER/estimates.json: cycles and resources by node.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
from qonnx.core.modelwrapper import ModelWrapper
from witness import answers, estimates


def main() -> None:
    """Execute, fold, estimate."""
    source, frames, folder, folding, part = sys.argv[1:]
    model = ModelWrapper(source)
    np.save(Path(folder) / "answers.npy", answers(model, np.load(frames)))
    told = estimates(model, folding, part)
    (Path(folder) / "estimates.json").write_text(json.dumps(told, indent=1))


if __name__ == "__main__":
    main()
