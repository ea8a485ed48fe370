# SPDX-License-Identifier: BSD-3-Clause
"""Synthesise single kernels, without a design, to check `Kernel.resources`."""

from __future__ import annotations

from collections.abc import Sequence

from bonn_hw import files, tools
from bonn_hw.emit.write import write
from bonn_hw.ir.folding import Folding
from bonn_hw.ir.kernel import Kernel
from bonn_hw.ir.rtl import Port, RtlProject
from bonn_hw.ir.tensor import TensorType
from bonn_hw.synth.netlist import Use
from bonn_hw.synth.yosys import Job, cached, store, synthesise_anew, version

Point = tuple[Kernel, Folding]
PROCESSES, BATCH = 2, 24


def synthesise_kernel(kernel: Kernel, folding: Folding, family: str = "xc7") -> Use:
    """Synthesise the RTL of one kernel, or get the result from the cache.

    Parameters
    ----------
    family : str
        ``xc7`` (7 series) or ``xcup`` (UltraScale+).
    """
    (use,) = synthesise_kernels([(kernel, folding)], family)
    return use


def synthesise_kernels(
    points: Sequence[Point],
    family: str = "xc7",
    processes: int = PROCESSES,
    clock_mhz: float | None = None,
) -> list[Use]:
    """Synthesise the points that are not in the cache; returns results in the order of the points.

    Yosys needs four seconds to start and then a fraction of a second per kernel. So a process runs
    a batch of points at once. Results are cached by point, as soon as their batch is done.
    ``clock_mhz`` is that of `Job`: None maps for delay, which is what `Kernel.resources` predicts.
    """
    version()  # raises ToolMissing before anything is started
    keys = [_key(point, family, clock_mhz) for point in points]
    fresh = {key: point for key, point in zip(keys, points, strict=True) if cached(key) is None}
    size = max(1, min(BATCH, -(-len(fresh) // processes)))
    batches = [list(fresh.items())[at : at + size] for at in range(0, len(fresh), size)]

    def work(batch: list[tuple[str, Point]]) -> None:
        uses = _synthesise([point for _, point in batch], family, clock_mhz)
        for (key, _), use in zip(batch, uses, strict=True):
            store(key, {"top": use})

    with tools.threads(processes) as pool:
        list(pool.map(work, batches))
    return [(cached(key) or {})["top"] for key in keys]


def _synthesise(points: Sequence[Point], family: str, clock_mhz: float | None) -> list[Use]:
    with files.scratch() as folder:
        write(side_by_side(points), folder)
        # Not from the cache: a batch of one point has the key of that point (`_key`), whose entry
        # holds the kernel alone.
        uses = synthesise_anew(Job(folder, family, clock_mhz=clock_mhz))
    return [uses[f"kernel_{place}"] for place in range(len(points))]


def _key(point: Point, family: str, clock_mhz: float | None) -> str:
    with files.scratch() as folder:
        write(side_by_side([point]), folder)
        return Job(folder, family, clock_mhz=clock_mhz).key


def side_by_side(points: Sequence[Point]) -> RtlProject:
    """A project of unconnected kernels: instance ``kernel_i`` of the top is point i."""
    files: dict[str, str] = {}
    modules, sources = [], set()
    for place, (kernel, folding) in enumerate(points):
        instance = kernel.rtl(folding)
        sources |= {*instance.templates}
        values = {name: str(value) for name, value in instance.parameters.items()}
        for name, image in instance.memories.items():
            file = f"mem/{place}_{name.lower()}.hex"
            files[file], values[name] = image.hex(), f'"{file}"'
        inputs, outputs = kernel.inputs, kernel.outputs
        given = (kernel.lanes(folding)[1],) * len(outputs)
        ports = [
            *("input clk", "input rst"),
            *_ports("s_axis", "input", "output", kernel.input_lanes(folding), inputs),
            *_ports("m_axis", "output", "input", given, outputs),
        ]
        names = [port.split()[-1] for port in ports]
        modules += [
            f"(* keep_hierarchy *) module wrapper_{place} ({', '.join(ports)});",
            f"  {instance.module} #({', '.join(f'.{name}({values[name]})' for name in values)})",
            # The port `step` is for simulation only and stays unconnected.
            f"    kernel ({', '.join(f'.{name}({name})' for name in names)}, .step());",
            "endmodule",
        ]
    instances = [f"  (* keep *) wrapper_{place} kernel_{place} ();" for place in range(len(points))]
    files["top.v"] = "\n".join([*modules, "module top;", *instances, "endmodule", ""])
    nothing = Port(1, points[0][0].inputs[0].element, 1)
    return RtlProject("top", tuple(sorted(sources)), files, nothing, nothing, probes=())


def _ports(
    prefix: str, to: str, back: str, lanes: Sequence[int], kinds: Sequence[TensorType]
) -> list[str]:
    """The ports of one side of a module; several streams are concatenated."""
    width = sum(each * kind.element.bits for each, kind in zip(lanes, kinds, strict=True))
    return [
        f"{to} [{width - 1}:0] {prefix}_tdata",
        f"{to} [{len(kinds) - 1}:0] {prefix}_tvalid",
        f"{back} [{len(kinds) - 1}:0] {prefix}_tready",
    ]
