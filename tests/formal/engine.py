# SPDX-License-Identifier: BSD-3-Clause
"""Proofs with Yosys and the ABC that its Python package brings: no other tool is needed.

Yosys writes each module as an and-inverter graph with one output, which is 1 where an assertion
fails. ABC's PDR (property directed reachability) proves for all times that it never is, or gives a
counterexample. Yosys takes seconds to start, so one process prepares many modules.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path

from bonn_hw.emit.write import templates_folder
from tests.formal.facts import Facts
from tests.formal.harness import PROPERTIES, top

PROVED, FALSE, UNKNOWN = "proved", "false", "unknown"
# Registers of the kernel start with any value: -ff2anyinit.
SCRIPT = (
    *("hierarchy -top formal_top", "proc", "flatten", "opt -full", "memory_nordff"),
    *("memory_collect", "memory_map -formal", "async2sync", "chformal -lower"),
    *("formalff -clk2ff -ff2anyinit -assume", "opt_clean", "setundef -undriven -anyseq"),
    *("opt_clean", "alumacc", "techmap", "setundef -anyseq", "opt_clean", "simplemap"),
    *("dffunmap", "aigmap", "opt_clean"),
)


@dataclass(frozen=True)
class Case:
    """A kernel to prove, perhaps with a fault.

    Attributes
    ----------
    chosen : tuple of str
        Names of the properties.
    fault : tuple of str or None
        A file of hw_templates, a part of its text, and what stands there instead.
    """

    name: str
    facts: Facts
    chosen: tuple[str, ...] = PROPERTIES
    fault: tuple[str, str, str] | None = None


def prepare(cases: Sequence[Case], folder: Path) -> None:
    """Write ``NAME.aig`` for each case."""
    script: list[str] = []
    for case in cases:
        place = folder / case.name
        place.mkdir()
        instance = case.facts.kernel.rtl(case.facts.folding)
        memories = {name: f"{case.name}/{name.lower()}.hex" for name in instance.memories}
        for name, image in instance.memories.items():
            (folder / memories[name]).write_text(image.hex())
        (place / "top.sv").write_text(top(case.facts, memories, case.chosen))
        sources = []
        for name in instance.templates:
            text = (templates_folder() / name).read_text()
            if case.fault and name == case.fault[0]:
                if text.count(case.fault[1]) != 1:
                    raise ValueError(f"{name} has not once the text {case.fault[1]!r}")
                text = text.replace(*case.fault[1:])
            (place / Path(name).name).write_text(text)
            sources.append(f"{case.name}/{Path(name).name}")
        script += [
            "design -reset",
            f"read_verilog -sv -formal -DSYNTHESIS -defer {' '.join(sources)}",
            f"read_verilog -sv -formal -defer {case.name}/top.sv",
            *SCRIPT,
            f"write_aiger -I -B -zinit -no-startoffset {case.name}.aig",
        ]
    (folder / "script").write_text("\n".join(script))
    command = [sys.executable, "-m", "bonn_hw.synth.worker", "script"]
    with (folder / "log").open("w") as log:
        done = subprocess.run(command, cwd=folder, stdout=log, stderr=log, env=os.environ)
    if done.returncode:
        raise RuntimeError("\n".join((folder / "log").read_text().splitlines()[-30:]))


# Plain first; what is hard may be easy with equal signals merged, and the other way round.
TACTICS = ("pdr", "scorr; dc2; pdr")


def decide(name: str, folder: Path, seconds: int, tactics: Sequence[str] = TACTICS) -> str:
    """`PROVED` for all times, `FALSE` with a counterexample, or `UNKNOWN`.

    Parameters
    ----------
    seconds : int
        Of the processor, for each tactic: a loaded machine answers the same, later.
    """
    limit = partial(resource.setrlimit, resource.RLIMIT_CPU, (seconds, seconds))
    abc = Path(find_spec("pyosys").origin).parent / "yosys-abc"
    for tactic in tactics:
        commands = f"read_aiger {name}.aig; fold; strash; {tactic}; print_status"
        command = [abc, "-c", commands]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, preexec_fn=limit)
        with (folder / f"{name}.log").open("a") as log:
            log.write(done.stdout)
        if "Property proved" in done.stdout:
            return PROVED
        if "was asserted in frame" in done.stdout:
            return FALSE
    return UNKNOWN
