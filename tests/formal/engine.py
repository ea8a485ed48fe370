# SPDX-License-Identifier: BSD-3-Clause
"""Proofs with Yosys and the ABC that its Python package brings: no other tool is needed.

Yosys writes each module as an and-inverter graph with one output, which is 1 where an assertion
fails. ABC's PDR (property directed reachability) proves for all times that it never is, or gives a
counterexample. Yosys takes seconds to start, so one process prepares many modules.

A kernel with helper invariants (`tests/formal/invariants.py`) takes two proofs: a step of induction
for the invariants, then the properties with the invariants assumed.
"""

from __future__ import annotations

import resource
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path

from bonn_hw.emit.write import templates_folder
from tests.formal import line_buffer
from tests.formal.facts import Facts
from tests.formal.harness import PROPERTIES, top
from tests.formal.invariants import Invariant, Probe
from tests.formal.shell import Bench
from tests.support import yosys

PROVED, FALSE, UNKNOWN, WRONG = "proved", "false", "unknown", "wrong invariant"
LEAD = "lead"  # ending of the name of a step of induction
FLATTEN = ("hierarchy -top formal_top", "proc -norom", "flatten")
# Words of memories become registers.
MAP = ("opt -full", "memory_nordff", "memory_collect", "memory_map -formal")
# Registers of the kernel start with any value: -ff2anyinit.
FINISH = (
    *("async2sync", "chformal -lower"),
    *("formalff -clk2ff -ff2anyinit -assume", "opt_clean", "setundef -undriven -anyseq"),
    *("opt_clean", "alumacc", "techmap", "setundef -anyseq", "opt_clean", "simplemap"),
    *("dffunmap", "aigmap", "opt_clean"),
)

LEADS: dict[str, Callable[[Facts], Invariant | None]] = {"sliding_window": line_buffer.lead}


@dataclass(frozen=True)
class Case:
    """A kernel to prove, perhaps with a fault.

    Attributes
    ----------
    chosen : tuple of str
        Names of the properties.
    fault : tuple of str or None
        A file of hw_templates, a part of its text, and what stands there instead.
    led : bool
        With the helper invariants of the kernel, if it has any.
    """

    name: str
    facts: Facts
    chosen: tuple[str, ...] = PROPERTIES
    fault: tuple[str, str, str] | None = None
    led: bool = False

    @property
    def lead(self) -> Invariant | None:
        """The helper invariants."""
        kind = LEADS.get(self.facts.kernel.stem) if self.led else None
        return kind(self.facts) if kind else None

    @property
    def expected(self) -> str:
        """The answer if RTL, properties and invariants are right."""
        if self.fault is None:
            return PROVED
        return WRONG if self.led else FALSE


def prepare(cases: Sequence[Case], folder: Path) -> None:
    """Write ``NAME.aig`` for each case, and ``NAME.lead.aig`` for helper invariants."""
    script: list[str] = []
    for case in cases:
        place = folder / case.name
        place.mkdir()
        instance = case.facts.instance
        memories = {name: f"{case.name}/{name.lower()}.hex" for name in instance.memories}
        for name, image in instance.memories.items():
            (folder / memories[name]).write_text(image.hex())
        lead = case.lead
        (place / "top.sv").write_text(top(case.facts, memories, case.chosen, lead))
        sources = _sources(instance.templates, place, case.fault)
        read = [f"read_verilog -sv -formal -DSYNTHESIS -defer {' '.join(sources)}"]
        probes = lead.probes if lead else ()
        harness = f"read_verilog -sv -formal {place.name}"
        script += _graph(case.name, [*read, f"{harness}/top.sv"], probes)
        if lead:
            text = top(case.facts, memories, (), lead, inductive=True)
            (place / "step.sv").write_text(text)
            script += _graph(f"{case.name}.{LEAD}", [*read, f"{harness}/step.sv"], probes)
    yosys.make(folder, script, _graphs(script))


def prepare_shell(benches: Sequence[Bench], folder: Path) -> None:
    """Write ``NAME.aig``, a step of induction, for each module of the shell."""
    script: list[str] = []
    for bench in benches:
        place = folder / bench.name
        place.mkdir()
        (place / "top.sv").write_text(bench.text())
        sources = _sources(bench.sources, place, bench.fault)
        read = [f"read_verilog -sv -formal -DSYNTHESIS -defer {' '.join(sources)}"]
        read.append(f"read_verilog -sv -formal {bench.name}/top.sv")
        script += _graph(bench.name, read, bench.probes)
    yosys.make(folder, script, _graphs(script))


def _sources(names: Sequence[str], place: Path, fault: tuple[str, str, str] | None) -> list[str]:
    """Copy files of hw_templates, one with a fault; their names from the folder above."""
    for name in names:
        text = (templates_folder() / name).read_text()
        if fault and name == fault[0]:
            if text.count(fault[1]) != 1:
                raise ValueError(f"{name} has not once the text {fault[1]!r}")
            text = text.replace(*fault[1:])
        (place / Path(name).name).write_text(text)
    return [f"{place.name}/{Path(name).name}" for name in names]


def _graph(name: str, read: Sequence[str], probes: Sequence[Probe]) -> list[str]:
    """Commands that write ``NAME.aig``."""
    words = [probe for probe in probes if "[" in probe.signal]
    others = [probe for probe in probes if "[" not in probe.signal]
    kept = ["setattr -set keep 1 formal_top/w:m_data"]  # whose memory may be read by probes only
    mapped = [*FLATTEN, *_connected(others), *kept, *MAP, *_connected(words), *FINISH]
    return ["design -reset", *read, *mapped, f"write_aiger -I -B -zinit -no-startoffset {name}.aig"]


def _graphs(script: Sequence[str]) -> list[str]:
    """The files that the commands of `_graph` write."""
    return [line.split()[-1] for line in script if line.startswith("write_aiger ")]


def _connected(probes: Sequence[Probe]) -> list[str]:
    """Inputs of the harness that become wires of the kernel, which has lost its borders."""
    lines = ["cd formal_top"]
    for probe in probes:
        signal = f"dut.{probe.signal}"
        if "[" in signal:  # in an expression, a selection of bits
            lines.append(f"rename {signal} word_of_{probe.name}")
            signal = f"word_of_{probe.name}"
        lines += [f"connect -nounset -set {probe.name} {signal}", f"delete -input w:{probe.name}"]
    return [*lines, "cd .."]


# Plain first; what is hard may be easy with equal signals merged, and the other way round.
TACTICS = ("pdr", "scorr; dc2; pdr")
INDUCTION = "bmc3 -F 3"  # of a step: two cycles


def decide(name: str, folder: Path, seconds: int, tactics: Sequence[str] = TACTICS) -> str:
    """`PROVED` for all times, `FALSE` with a counterexample, or `UNKNOWN`.

    `WRONG`: helper invariants that do not hold.

    Parameters
    ----------
    seconds : int
        Of the processor, for each tactic: a loaded machine answers the same, later.
    """
    if (folder / f"{name}.{LEAD}.aig").exists():
        answer = decide_step(f"{name}.{LEAD}", folder, seconds)
        if answer != PROVED:
            return WRONG if answer == FALSE else UNKNOWN
    for tactic in tactics:
        answer = _run(name, folder, seconds, tactic)
        if "Property proved" in answer:
            return PROVED
        if "was asserted in frame" in answer:
            return FALSE
    return UNKNOWN


def decide_step(name: str, folder: Path, seconds: int) -> str:
    """`PROVED`, `FALSE` or `UNKNOWN` for a step of induction."""
    answer = _run(name, folder, seconds, INDUCTION)
    if "No output asserted in 3 frames" in answer:
        return PROVED
    return FALSE if "was asserted in frame" in answer else UNKNOWN


def _run(name: str, folder: Path, seconds: int, tactic: str) -> str:
    """What ABC says."""
    limit = partial(resource.setrlimit, resource.RLIMIT_CPU, (seconds, seconds))
    abc = Path(find_spec("pyosys").origin).parent / "yosys-abc"
    command = [abc, "-c", f"read_aiger {name}.aig; fold; strash; {tactic}; print_status"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, preexec_fn=limit)
    with (folder / f"{name}.log").open("a") as log:
        log.write(done.stdout)
    return done.stdout
