# SPDX-License-Identifier: BSD-3-Clause
"""Accuracy and speed on the board, into the report of the build.

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
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .accelerator import Accelerator
from .errors import AcceleratorError

REPORT = "report.json"


def measure(
    accelerator: Accelerator, images: NDArray[np.float32], labels: NDArray[np.int64]
) -> dict[str, Any]:
    """Part of the images that are classified rightly, and frames a second by the wall clock."""
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


def complete(report: Path, found: dict[str, Any]) -> None:
    """Write what was found into a report, beside what stands there."""
    facts = json.loads(report.read_text()) if report.is_file() else {}
    for key, value in found.items():
        facts[key] = {**(facts.get(key) or {}), **value} if isinstance(value, dict) else value
    # Made aside by a name that nobody can guess: the driver has no other part of the package.
    descriptor, fresh = tempfile.mkstemp(prefix=f".{report.name}.", dir=report.parent)
    try:
        with open(descriptor, "w") as stream:
            stream.write(json.dumps(facts, indent=2) + "\n")
            os.fchmod(descriptor, 0o644)
        os.replace(fresh, report)
    except BaseException:
        os.unlink(fresh)
        raise


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure; exit code 2 with one message where that cannot be done."""
    parser = argparse.ArgumentParser(prog="bonn_driver.measure", description=__doc__)
    parser.add_argument("bitstream", type=Path)
    parser.add_argument("images", type=Path, help=".npy, float32, what the model is fed")
    parser.add_argument("labels", type=Path, help=".npy, the class of each image")
    options = parser.parse_args(arguments)
    try:
        images, labels = np.load(options.images), np.load(options.labels)
        with Accelerator(options.bitstream) as accelerator:
            found = measure(accelerator, images, labels)
    except (AcceleratorError, OSError, ValueError) as error:
        print(f"measure: {error}", file=sys.stderr)
        return 2
    complete(options.bitstream.with_name(REPORT), found)
    print(json.dumps(found, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
