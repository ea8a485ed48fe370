# SPDX-License-Identifier: BSD-3-Clause
"""What is known of a build: every figure by its stage. The fields' names are the keys of the JSON.

`codec` turns these values into JSON and back: a field without a default is always written, one
whose default is None is left out while it is None, and the fields of a field marked `FLAT` stand
among those of its owner. `report.schema.json` is generated from these types; its version is
`SCHEMA`, to be raised when a key changes its name or meaning.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields

from bonn_hw.passes.optimum import Optimum
from bonn_hw.report.figures import Amount, Cycles, PerResource, Rate, Share
from bonn_hw.synth.netlist import Use

SCHEMA = 1
FLAT = {"flat": True}  # metadata of a field


@dataclass(frozen=True)
class Model:
    """The QONNX file: its digest, and which images it is fed where it says so."""

    sha256: str
    dataset: str | None = None
    transform: str | None = None


@dataclass(frozen=True)
class Target:
    """What a design is made for; ``fps`` is None where only foldings were given."""

    board: str
    part: str
    clock_mhz: float
    fps: float | None


@dataclass(frozen=True)
class BlockMemory:
    """Bits that stand in block memories, and which part of these they fill."""

    held_bits: int
    filled: Share


@dataclass(frozen=True)
class FifoDepth:
    """Beats that a FIFO holds, and the most that it held when the cycle model ran freely."""

    depth: int
    peak: int


@dataclass(frozen=True, kw_only=True)
class LayerReport:
    """A stage of the design.

    Attributes
    ----------
    origin : str
        The layer in the model.
    cycles : Cycles
        Per frame: what the stage needs alone, and in how many it was busy in the simulation.
    resources : PerResource
        Predicted.
    """

    name: str
    kernel: str
    origin: str
    pe: int
    simd: int
    cycles: Cycles
    resources: PerResource[float]
    fifo: FifoDepth | None = None
    synthesised: Use | None = None


@dataclass(frozen=True)
class Mismatches:
    """Frames on which the RTL and a reference differ; None: there was no such reference."""

    rtl_integer: int
    rtl_qonnx: int
    rtl_pytorch: int | None = None


@dataclass(frozen=True)
class Accuracy:
    """Part of the images that are classified rightly; all None where labels are not known."""

    pytorch: float | None = None
    qonnx: float | None = None
    integer: float | None = None
    rtl: float | None = None
    board: float | None = None

    @property
    def left_out(self) -> frozenset[str]:
        """What is not written: without a checkpoint ``pytorch`` is written as null."""
        unknown = {one.name for one in fields(self) if getattr(self, one.name) is None}
        return frozenset(unknown if self.rtl is None else unknown & {"board"})


@dataclass(frozen=True)
class SimulatorSpeed:
    """Speed of the simulator itself, all processes together."""

    cycles: int
    seconds: float
    cycles_per_second: int
    frames_per_second: float


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """A simulation against its references.

    Attributes
    ----------
    mismatches : int
        Frames on which any two of the answers differ.
    stall_seed : int or None
        Of the random stalls; with them, simulated cycles include stalls.
    """

    frames: int
    mismatches: int
    mismatches_between: Mismatches
    stall_seed: int | None
    simulation: SimulatorSpeed


@dataclass(frozen=True)
class Bitstream:
    """The board that a bitstream is for."""

    board: str
    part: str


@dataclass(frozen=True, kw_only=True)
class Timing:
    """Timing of an implemented design: worst setup and hold slack; ``fmax_mhz`` of open tools."""

    wns_ns: float
    whs_ns: float | None
    clock_mhz: float
    worst_path: str | None
    fmax_mhz: float | None = None


@dataclass(frozen=True, kw_only=True)
class Seconds:
    """What the steps of an open flow took."""

    synthesis: float
    place_and_route: float
    frames: float


@dataclass(frozen=True, kw_only=True)
class Implementation:
    """A bitstream that meets its timing."""

    bitstream: Bitstream
    timing: Timing
    seconds: Seconds | None = None


@dataclass(frozen=True, kw_only=True)
class Report:
    """All that is known of a build, or of a folded design.

    Attributes
    ----------
    cycles_per_frame : Cycles
        Initiation interval: cycles between the last beats of two frames in the steady state.
    latency_cycles : Cycles
        From the first input beat to the first output beat of the first frame.
    boards : mapping
        For every board known, whether it is predicted to hold the design.
    comparison, accuracy : Comparison or None, Accuracy or None
        Of the simulation that is kept (see `sections`).
    synthesis : Use or None
        Of the whole design.
    tools : mapping
        Versions.
    """

    schema: int = SCHEMA
    model: Model
    target: Target
    cycles_per_frame: Cycles
    latency_cycles: Cycles
    frames_per_second: Rate
    resources: PerResource[Amount]
    block_memory: BlockMemory
    boards: Mapping[str, bool]
    optimum: Optimum
    notes: tuple[str, ...]
    layers: tuple[LayerReport, ...]
    findings: tuple[str, ...]
    tools: Mapping[str, str]
    comparison: Comparison | None = field(default=None, metadata=FLAT)
    accuracy: Accuracy | None = None
    synthesis: Use | None = None
    implementation: Implementation | None = field(default=None, metadata=FLAT)
    frames_on_board: int | None = None


@dataclass(frozen=True, kw_only=True)
class Point:
    """A design of a front: its rate, cycles per frame, resources, whether the board holds it."""

    frames_per_second: float
    cycles: int
    resources: PerResource[float] = field(metadata=FLAT)
    fits: bool


@dataclass(frozen=True, kw_only=True)
class Front:
    """All trade-offs of frame rate and resources that a model has on a board."""

    schema: int = SCHEMA
    model: Model
    target: Target
    front: tuple[Point, ...]
    findings: tuple[str, ...]
    tools: Mapping[str, str]
