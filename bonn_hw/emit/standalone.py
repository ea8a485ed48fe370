# SPDX-License-Identifier: BSD-3-Clause
"""RtlProject -> what its folder needs besides, to be used without bonn_hw (docs/rtl.md).

A README, a file list, constraints, IP-XACT, and a self-checking test bench with golden vectors.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bonn_hw.emit import ipxact, readme, waves
from bonn_hw.emit.testbench import Vectors, templates, testbench
from bonn_hw.emit.write import copy
from bonn_hw.ir.design import FoldedDesign
from bonn_hw.ir.graph import DataflowGraph
from bonn_hw.ir.rtl import MemoryImage, Port, RtlProject
from bonn_hw.ir.stream import pack_bits
from bonn_hw.ir.tensor import Integers

FRAMES = 3


@dataclass(frozen=True)
class Timing:
    """What a README tells of a design.

    Attributes
    ----------
    clock_mhz : float
        The clock that it was folded for.
    interval : int
        Cycles between two frames.
    patience : int
        More cycles than can pass without a beat at either end.
    """

    clock_mhz: float
    interval: int
    patience: int


def write_standalone(
    project: RtlProject, design: FoldedDesign, timing: Timing, folder: Path
) -> None:
    """Write these files beside those of the project, into the same folder."""
    for name, text in files(project, design, timing).items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
    copy(templates(project), folder)


def files(project: RtlProject, design: FoldedDesign, timing: Timing) -> Mapping[str, str]:
    """Texts by name; the same design gives the same bytes."""
    top = project.outer
    modules = [name for name in project.files if name.endswith(".v")]
    sources = [*project.templates, *modules]
    bench, vectors = f"bench/{top}_tb.sv", _vectors(project, design.graph)
    return {
        "README.md": readme.text(project, timing.clock_mhz, timing.interval, FRAMES),
        f"{top}.f": _lines(sources),
        f"{top}_tb.f": _lines([*templates(project), bench]),
        f"{top}.xml": ipxact.component(project, sources),
        f"bench/{top}.gtkw": waves.save_file(project, design),
        f"{top}.xdc": readme.constraints(project, timing.clock_mhz),
        bench: testbench(project, vectors, FRAMES, timing.patience),
        vectors.inputs: vectors.files[vectors.inputs],
        vectors.outputs: vectors.files[vectors.outputs],
    }


def _lines(names: list[str]) -> str:
    return "".join(f"{name}\n" for name in names)


def _vectors(project: RtlProject, graph: DataflowGraph) -> Vectors:
    kind = graph.tensors[graph.input]
    rng = np.random.default_rng(0)
    frames = rng.integers(kind.element.low, kind.element.high + 1, (FRAMES, *kind.shape))
    if kind.element.bipolar:
        frames = np.where(frames > 0, 1, -1)
    inputs, outputs = (f"bench/{project.outer}_{end}.hex" for end in ("inputs", "outputs"))
    contents = {
        inputs: _beats(frames, project.source),
        outputs: _beats(graph.run(frames), project.sink),
    }
    return Vectors(inputs, outputs, contents)


def _beats(values: Integers, port: Port) -> str:
    return MemoryImage(pack_bits(values, port.lanes, port.element)).hex()
