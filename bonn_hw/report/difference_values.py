# SPDX-License-Identifier: BSD-3-Clause
"""The first value that differs from a reference, and the waves around its cycle."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Wave:
    """A stream in the cycles around a difference.

    Attributes
    ----------
    stream : str
        Its name in the top module, such as ``stream_3``.
    source : str
        The unit that it comes from; ``input`` for the accelerator's own.
    first_cycle : int
        The cycle of the first entry, counted as `FirstDifference.cycle`.
    valid, ready : str
        ``0`` or ``1`` for each cycle.
    data : tuple of str
        tdata in hexadecimal for each cycle; empty where it is not valid.
    """

    stream: str
    source: str
    first_cycle: int
    valid: str
    ready: str
    data: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class FirstDifference:
    """The first value, in dataflow order, that differs from a reference.

    Attributes
    ----------
    reference : str
        ``integer graph``, ``QONNX model``, ``PyTorch network``, ``expected outputs`` (of the model)
        or ``expected values`` (of a layer).
    layer, stage : str
        The layer of the model that computes the value, and its unit; ``outputs`` and an empty
        string for the model's own outputs.
    frame : int
        Its place among the frames of the run, from 0 on.
    place : tuple of int
        Row, column and channel of an inner layer; the index of one of the model's outputs.
    value, expected : float
    cycle, cycle_frame : int or None
        The cycle in which the RTL's beat passes, counted from the reset of a simulation that begins
        with the frame ``cycle_frame``; None for a value that was not recorded in the RTL.
    channel : int
        The channel (or output) of the first of the values around it.
    values_around, expected_around : tuple of float
        The values of neighbouring channels at the same place.
    waves : tuple of Wave
        The streams into the unit, and last the one that it computes, around the cycle.
    """

    reference: str
    layer: str
    stage: str
    frame: int
    place: tuple[int, ...]
    value: float
    expected: float
    cycle: int | None = None
    cycle_frame: int | None = None
    channel: int
    values_around: tuple[float, ...]
    expected_around: tuple[float, ...]
    waves: tuple[Wave, ...] = ()
