# SPDX-License-Identifier: BSD-3-Clause
"""Synthesise kernels alone, out of any design: what `Kernel.resources` is held against."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bonn_hw.emit.write import write
from bonn_hw.ir.folding import Folding
from bonn_hw.ir.kernel import Kernel
from bonn_hw.ir.rtl import Port, RtlProject
from bonn_hw.ir.tensor import TensorType
from bonn_hw.synth.netlist import Use
from bonn_hw.synth.yosys import Job, keep, kept, synthesise, version

Point = tuple[Kernel, Folding]
PROCESSES, BATCH = 2, 12


def synthesise_kernel(kernel: Kernel, folding: Folding, family: str = "xc7") -> Use:
    """Synthesise the RTL of one kernel, unless the same was done before.

    Parameters
    ----------
    family : str
        ``xc7`` (7 series) or ``xcup`` (UltraScale+).
    """
    (use,) = synthesise_kernels([(kernel, folding)], family)
    return use


def synthesise_kernels(
    points: Sequence[Point], family: str = "xc7", processes: int = PROCESSES
) -> list[Use]:
    """Synthesise those that are not known yet; in the order of the points.

    Yosys takes four seconds to begin with and then a fraction of a second a kernel: a process takes
    a batch of points in one run. What is kept is kept by point, as soon as its batch is done.
    """
    version()  # missing is told before anything is started
    keys = [_key(point, family) for point in points]
    fresh = {key: point for key, point in zip(keys, points, strict=True) if kept(key) is None}
    size = max(1, min(BATCH, -(-len(fresh) // processes)))
    batches = [list(fresh.items())[at : at + size] for at in range(0, len(fresh), size)]

    def work(batch: list[tuple[str, Point]]) -> None:
        uses = _synthesise([point for _, point in batch], family)
        for (key, _), use in zip(batch, uses, strict=True):
            keep(key, {"top": use})

    with ThreadPoolExecutor(processes) as pool:
        list(pool.map(work, batches))
    return [(kept(key) or {})["top"] for key in keys]


def _synthesise(points: Sequence[Point], family: str) -> list[Use]:
    with tempfile.TemporaryDirectory(prefix="bonn_hw-") as folder:
        write(side_by_side(points), Path(folder))
        uses = synthesise(Job(Path(folder), family))
    return [uses[f"kernel_{place}"] for place in range(len(points))]


def _key(point: Point, family: str) -> str:
    with tempfile.TemporaryDirectory(prefix="bonn_hw-") as folder:
        write(side_by_side([point]), Path(folder))
        return Job(Path(folder), family).key


def side_by_side(points: Sequence[Point]) -> RtlProject:
    """A project of kernels that nothing connects: instance ``kernel_i`` of the top is point i."""
    files: dict[str, str] = {}
    modules, sources = [], set()
    for place, (kernel, folding) in enumerate(points):
        instance = kernel.rtl(folding)
        sources |= {*instance.templates}
        values = {name: str(value) for name, value in instance.parameters.items()}
        for name, image in instance.memories.items():
            file = f"mem/{place}_{name.lower()}.hex"
            files[file], values[name] = image.hex(), f'"{file}"'
        taken, given = kernel.lanes(folding)
        ports = [
            *("input clk", "input rst"),
            *_ports("s_axis", "input", "output", taken, kernel.inputs),
            *_ports("m_axis", "output", "input", given, kernel.outputs),
        ]
        names = [port.split()[-1] for port in ports]
        modules += [
            f"(* keep_hierarchy *) module wrapper_{place} ({', '.join(ports)});",
            f"  {instance.module} #({', '.join(f'.{name}({values[name]})' for name in values)})",
            # The step is for simulation: no design has it in hardware.
            f"    kernel ({', '.join(f'.{name}({name})' for name in names)}, .step());",
            "endmodule",
        ]
    instances = [f"  (* keep *) wrapper_{place} kernel_{place} ();" for place in range(len(points))]
    files["top.v"] = "\n".join([*modules, "module top;", *instances, "endmodule", ""])
    nothing = Port(1, points[0][0].inputs[0].element, 1)
    return RtlProject("top", tuple(sorted(sources)), files, nothing, nothing, probes=())


def _ports(prefix: str, to: str, back: str, lanes: int, kinds: Sequence[TensorType]) -> list[str]:
    """One side of a module; several streams stand side by side."""
    width = lanes * sum(kind.element.bits for kind in kinds)
    return [
        f"{to} [{width - 1}:0] {prefix}_tdata",
        f"{to} [{len(kinds) - 1}:0] {prefix}_tvalid",
        f"{back} [{len(kinds) - 1}:0] {prefix}_tready",
    ]
