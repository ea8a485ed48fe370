# SPDX-License-Identifier: BSD-3-Clause
"""The simulated board as a process: registers, memory, time, and injected faults."""

from __future__ import annotations

from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType

from bonn_hw import files, tools
from bonn_hw.emit.write import write
from bonn_hw.ir.rtl import RtlProject
from bonn_hw.progress import Progress, silent
from bonn_hw.sim.build import build, state_options

HARNESS = Path(__file__).with_name("harness.cpp")
MEMORY_BYTES = 1 << 26
HANGS = (1 << 64) - 1


class BrokenRule(Exception):
    """The shell broke a rule of AXI, which is a bug. The simulation has ended."""


class SimulatedBoard:
    """The Verilated `system` with a memory; a context manager.

    No cycles pass between calls. A register access takes as many cycles as the bus needs, `advance`
    the number that is passed to it.

    Parameters
    ----------
    project : RtlProject
        The project of `emit.system.emit_system`.
    templates : Path or None
        Folder of other RTL sources than the package's.
    state : int
        Seed of what registers and memories hold before the reset, from 1 on: a register that the
        reset forgets is found.

    Raises
    ------
    ToolMissing
        If Verilator or a C++ compiler is missing.
    BrokenRule
        By any call, when the shell breaks a rule of AXI (``Rules`` in harness.cpp).
    """

    def __init__(
        self,
        project: RtlProject,
        templates: Path | None = None,
        progress: Progress = silent,
        state: int = 1,
    ) -> None:
        simulator = build(
            project, templates=templates, progress=progress, harness=HARNESS, random_state=True
        )
        with ExitStack() as stack:
            folder = stack.enter_context(files.scratch())
            write(project, folder, templates)  # the process reads memory images from its folder
            command = [str(simulator.executable), *state_options(state)]
            started = tools.started(command, cwd=folder, patience_s=0)
            self._process = stack.enter_context(started)
            self._all = stack.pop_all()

    def __enter__(self) -> SimulatedBoard:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the simulation."""
        self._all.close()

    def read(self, offset: int) -> int:
        """Read a register; raises TimeoutError if the bus does not answer."""
        value = self._number("R", offset)
        if value == HANGS:
            raise TimeoutError(f"the register at {offset:#x} does not answer")
        return value

    def write(self, offset: int, value: int) -> None:
        """Write a register; raises TimeoutError if the bus does not answer."""
        if self._number("W", offset, value) == HANGS:
            raise TimeoutError(f"the register at {offset:#x} does not answer")

    def store(self, address: int, data: bytes) -> None:
        """Write memory, as the processor does."""
        self._in_memory(address, len(data))
        self._number("P", address, len(data), data=data)

    def load(self, address: int, count: int) -> bytes:
        """Read ``count`` bytes of memory, as the processor does."""
        self._in_memory(address, count)
        return self._ask("G", (address, count), b"", count)

    def advance(self, cycles: int) -> int:
        """Simulate up to ``cycles`` cycles, until an interrupt; returns the simulated cycles."""
        return self._number("A", cycles)

    def disturb(self, seed: int, latency: int = 0, gaps: int = 0, errors: int = 0) -> None:
        """Make the memory slow and faulty.

        Parameters
        ----------
        latency : int
            Maximum cycles that a burst waits.
        gaps : int
            Idle cycles of a channel, per thousand cycles.
        errors : int
            Bursts that are answered with an error, per thousand bursts.
        """
        self._number("F", seed, latency, gaps, errors)

    def _number(self, letter: str, *numbers: int, data: bytes = b"") -> int:
        return int.from_bytes(self._ask(letter, numbers, data, 8), "little")

    def _ask(self, letter: str, numbers: tuple[int, ...], data: bytes, count: int) -> bytes:
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin and stdout  # noqa: S101  # narrows: both are pipes
        words = letter.encode() + b"".join(n.to_bytes(8, "little") for n in numbers) + data
        answer = b""
        with suppress(BrokenPipeError):
            stdin.write(words)
            stdin.flush()
            answer = stdout.read(count)
        if len(answer) < count:
            _, reason = self._process.communicate()
            raise BrokenRule(reason.decode().strip() or f"exit code {self._process.returncode}")
        return answer

    def _in_memory(self, address: int, count: int) -> None:
        if address < 0 or address + count > MEMORY_BYTES:
            raise ValueError(f"{count} bytes at {address:#x} are not in memory")
