# SPDX-License-Identifier: BSD-3-Clause
"""The report of a build: every figure by its source. The names of the fields are the keys in JSON.

`codec` converts these values to JSON and back. A field without a default is always written. A field
with the default None is left out while it is None. The keys of a field marked `FLAT` are written
among the keys of its owner. `report.schema.json` is generated from these types; its version is
`SCHEMA`, to be raised when a key changes its name or meaning.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields

from bonn_hw.passes.optimum import Optimum
from bonn_hw.report.difference_values import FirstDifference
from bonn_hw.report.figures import Amount, Cycles, PerResource, Rate, Share
from bonn_hw.synth.netlist import Use

SCHEMA = 1
FLAT = {"flat": True}  # metadata of a field


@dataclass(frozen=True)
class Model:
    """The QONNX file: its digest, and its data set and transform if it names them."""

    sha256: str
    dataset: str | None = None
    transform: str | None = None


@dataclass(frozen=True)
class Target:
    """The target of a design; ``fps`` is None if only foldings were given."""

    board: str
    part: str
    clock_mhz: float
    fps: float | None


@dataclass(frozen=True)
class BlockMemory:
    """Bits stored in block memories, and the fraction of the block memories that they fill."""

    held_bits: int
    filled: Share


@dataclass(frozen=True)
class FifoDepth:
    """Capacity of a FIFO in beats, and its largest fill in the cycle model without stalls."""

    depth: int
    peak: int


@dataclass(frozen=True, kw_only=True)
class LayerReport:
    """A stage of the design.

    Attributes
    ----------
    origin : str
        The layer in the user's model.
    cycles : Cycles
        Per frame: of the stage alone, and the cycles in which it was busy in the simulation.
    resources : PerResource
        Predicted resources.
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
    """Frames on which the RTL and a reference differ; None without that reference."""

    rtl_integer: int
    rtl_qonnx: int
    rtl_pytorch: int | None = None
    rtl_expected: int | None = None


@dataclass(frozen=True)
class Accuracy:
    """Fraction of correctly classified images; all None if labels are not known.

    ``expected`` is the accuracy of the outputs that the user expects.
    """

    pytorch: float | None = None
    qonnx: float | None = None
    integer: float | None = None
    rtl: float | None = None
    board: float | None = None
    expected: float | None = None

    @property
    def left_out(self) -> frozenset[str]:
        """Fields that are not written. Without a checkpoint, ``pytorch`` is written as null."""
        unknown = {one.name for one in fields(self) if getattr(self, one.name) is None}
        return frozenset(unknown if self.rtl is None else unknown & {"board", "expected"})


@dataclass(frozen=True)
class SimulatorSpeed:
    """Speed of the simulator itself, all processes together."""

    cycles: int
    seconds: float
    cycles_per_second: int
    frames_per_second: float


@dataclass(frozen=True, kw_only=True)
class Decision:
    """A value that ONNX Runtime rounds to another integer than the reference, in a frame."""

    frame: int
    layer: str
    channel: int


@dataclass(frozen=True, kw_only=True)
class Rounding:
    """The reference against ONNX Runtime on the file as it is, whose float sums are rounded.

    Attributes
    ----------
    last_digits : int
        Frames whose outputs differ in the last digits only.
    largest_ulp : float
        Their largest difference, in units in the last place of the frame's largest output.
    other_decisions : int
        Frames in which a rounded sum is on the other side of a threshold.
    decisions : tuple of Decision
        The first of these, at the layer where each arises.
    """

    last_digits: int
    largest_ulp: float
    other_decisions: int
    decisions: tuple[Decision, ...]


@dataclass(frozen=True, kw_only=True)
class Expected:
    """The outputs that the user expects against the RTL's.

    Attributes
    ----------
    equal, last_digits : int
        Frames that are equal (``==``); frames that differ in the last digits only.
    rounded : int
        Frames in which the expected outputs decide otherwise, because a sum is rounded: ONNX
        Runtime's rounded sums decide as they do, or the sum is known.
    differ : int
        All other frames; they are mismatches.
    largest : float
        The largest difference of the first three kinds, as a share of the frame's largest output.
    """

    equal: int
    last_digits: int
    rounded: int
    differ: int
    largest: float


@dataclass(frozen=True, kw_only=True)
class LayerNote:
    """A remark of the lowering about some channels of a layer; see `frontend.Note`."""

    layer: str
    kind: str
    channels: tuple[int, ...]
    of: int
    sums: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Comparison of a simulation with its references.

    Attributes
    ----------
    mismatches : int
        Frames on which any two of the answers differ.
    rounding : Rounding or None
        Differences of ONNX Runtime's own float sums, which are no mismatches.
    expected : Expected or None
        How the outputs that the user expects compare with the RTL's.
    stall_seed : int or None
        Seed of the random stalls; simulated cycles include the stalls.
    cycles_hold_for_all_data : bool or None
        Whether it is proved that no handshake depends on data: the bit-sliced engine proves it on
        the netlist of the design. None: not examined, as with Verilator alone.
    netlist : bool or None
        True if the netlist of a synthesis was simulated. None: the RTL was.
    first_difference : FirstDifference or None
        Where it first differs, if ``bonn-hw compare`` found a difference.
    """

    frames: int
    mismatches: int
    mismatches_between: Mismatches
    rounding: Rounding | None = None
    expected: Expected | None = None
    stall_seed: int | None
    cycles_hold_for_all_data: bool | None = None
    netlist: bool | None = None
    simulation: SimulatorSpeed
    first_difference: FirstDifference | None = None


@dataclass(frozen=True, kw_only=True)
class Epoch:
    """An epoch of a training; an accuracy is None where it was not measured."""

    loss: float
    train_accuracy: float | None = None
    test_accuracy: float | None = None


@dataclass(frozen=True, kw_only=True)
class Training:
    """The training of a build's network: its name, what was tested, and its epochs."""

    network: str
    tested: str
    epochs: tuple[Epoch, ...]


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
    """Run times of the steps of an open flow."""

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
    """The report of a build, or of a folded design.

    Attributes
    ----------
    cycles_per_frame : Cycles
        Initiation interval: cycles between the last beats of two frames in the steady state.
    latency_cycles : Cycles
        From the first input beat to the first output beat of the first frame.
    boards : mapping
        For every known board, whether the design is predicted to fit.
    comparison, accuracy : Comparison or None, Accuracy or None
        Of the saved simulation (see `sections`).
    synthesis : Use or None
        Resources of the whole design.
    training : Training or None
        Of the run that ``compile --checkpoint`` was given.
    tools : mapping
        Versions by tool.
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
    layer_notes: tuple[LayerNote, ...] = ()
    comparison: Comparison | None = field(default=None, metadata=FLAT)
    accuracy: Accuracy | None = None
    synthesis: Use | None = None
    implementation: Implementation | None = field(default=None, metadata=FLAT)
    frames_on_board: int | None = None
    training: Training | None = None

    def __repr__(self) -> str:
        lut, target = self.resources.lut, self.target
        return (
            f"<Report: {target.board} at {target.clock_mhz:g} MHz, "
            f"{self.frames_per_second.predicted:,.1f} frames/s, {lut.predicted:,.0f} LUT of "
            f"{lut.available:,.0f}>"
        )


@dataclass(frozen=True, kw_only=True)
class Point:
    """A design of a Pareto front: its rate, cycles per frame, resources, whether it fits."""

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
