# SPDX-License-Identifier: BSD-3-Clause
"""Measure accuracy and speed on the board, and add them to the report of the build.

python3 -m bonn_driver.measure cnv.bit images.npy labels.npy
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .accelerator import Accelerator
from .errors import AcceleratorError

if TYPE_CHECKING:
    from numpy.typing import NDArray

REPORT = "report.json"


def measure(
    accelerator: Accelerator, images: NDArray[np.float32], labels: NDArray[np.int64]
) -> dict[str, Any]:
    """Measure the fraction of correctly classified images, and the frame rate by wall clock."""
    if len(images) != len(labels):
        raise AcceleratorError(f"{len(images)} images and {len(labels)} labels: give one for each")
    right = (accelerator.classify(images) == labels).mean()
    speed = accelerator.benchmark()
    return {
        "accuracy": {"board": round(float(right), 6)},
        "frames_per_second": {"board": round(speed["frames_per_second"], 1)},
        "cycles_per_frame": {"board": speed["interval_cycles"]},
        "latency_cycles": {"board": speed["latency_cycles"]},
        "frames_on_board": len(images),
    }


def complete(report: Path, figures: dict[str, Any]) -> None:
    """Add the measured figures to a report file."""
    document = json.loads(report.read_text()) if report.is_file() else {}
    for key, value in figures.items():
        document[key] = {**(document.get(key) or {}), **value} if isinstance(value, dict) else value
    # Written to a temporary file and renamed; the driver cannot use `bonn_hw.files`.
    descriptor, fresh = tempfile.mkstemp(prefix=f".{report.name}.", dir=report.parent)
    try:
        with open(descriptor, "w") as stream:
            stream.write(json.dumps(document, indent=2) + "\n")
            os.fchmod(descriptor, 0o644)
        os.replace(fresh, report)
    except BaseException:
        os.unlink(fresh)
        raise


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure; exit code 2 with one message if that fails."""
    parser = argparse.ArgumentParser(prog="bonn_driver.measure", description=__doc__)
    parser.add_argument("bitstream", type=Path)
    parser.add_argument("images", type=Path, help=".npy, float32, inputs of the model")
    parser.add_argument("labels", type=Path, help=".npy, the class of each image")
    options = parser.parse_args(arguments)
    try:
        images, labels = np.load(options.images), np.load(options.labels)
        with Accelerator(options.bitstream) as accelerator:
            figures = measure(accelerator, images, labels)
    except (AcceleratorError, OSError, ValueError) as error:
        print(f"measure: {error}", file=sys.stderr)
        return 2
    complete(options.bitstream.with_name(REPORT), figures)
    print(json.dumps(figures, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
