# SPDX-License-Identifier: BSD-3-Clause
"""The first value, in the order of the data, that differs from a reference."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bonn_hw.report.difference_values import FirstDifference

OUTPUTS = "outputs"  # the layer of a difference between the model's own outputs
AROUND = 4  # channels on each side of the one that differs


def differing(
    values: NDArray[Any],
    expected: NDArray[Any],
    *,
    reference: str,
    layer: str,
    stage: str = "",
    first_frame: int = 0,
) -> FirstDifference | None:
    """Find the first value that differs: by frame, then in the order of the stream.

    Parameters
    ----------
    values, expected : ``(N, ..., channels)``
        Of the same shape; ``(N, H, W, C)`` for a layer.
    first_frame : int
        The frame of ``values[0]`` in the run.

    Returns
    -------
    FirstDifference, or None if all values are equal.
    """
    wrong = (values != expected) & ((values == values) | (expected == expected))  # NaN is NaN
    places = np.flatnonzero(wrong.reshape(-1))
    if not len(places):
        return None
    frame, *place = (int(one) for one in np.unravel_index(places[0], values.shape))
    begin, end = max(0, place[-1] - AROUND), place[-1] + AROUND + 1
    row = (frame, *place[:-1])
    return FirstDifference(
        reference=reference,
        layer=layer,
        stage=stage,
        frame=first_frame + frame,
        place=tuple(place),
        value=float(values[(frame, *place)]),
        expected=float(expected[(frame, *place)]),
        channel=begin,
        values_around=tuple(float(one) for one in values[row][begin:end]),
        expected_around=tuple(float(one) for one in expected[row][begin:end]),
    )


def sentence(found: FirstDifference) -> str:
    """A difference as one sentence without a full stop."""
    text = (
        f"first difference: {place(found)}: {found.value:g}, and {found.expected:g} by the "
        f"{found.reference}"
    )
    if found.cycle is not None:
        text += f", in cycle {found.cycle:,} of a simulation from frame {found.cycle_frame} on"
    return text


def place(found: FirstDifference) -> str:
    """The place of a difference in words."""
    if len(found.place) == 3 and found.layer != OUTPUTS:
        y, x, channel = found.place
        unit = f" ({found.stage})" if found.stage else ""
        return (
            f"layer {found.layer}{unit}, frame {found.frame}, row {y}, column {x}, channel "
            f"{channel}"
        )
    return f"outputs, frame {found.frame}, output {', '.join(map(str, found.place))}"
