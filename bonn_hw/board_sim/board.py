# SPDX-License-Identifier: BSD-3-Clause
"""The simulated board as a process: registers, memory, time, and what can go wrong with them."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from bonn_hw.emit.write import write
from bonn_hw.ir.rtl import RtlProject
from bonn_hw.sim.build import build

HARNESS = Path(__file__).with_name("harness.cpp")
MEMORY_BYTES = 1 << 26
HANGS = (1 << 64) - 1


class BrokenRule(Exception):
    """The shell did what AXI forbids: a bug of ours. The simulation is over."""


class SimulatedBoard:
    """The Verilated `system` with a memory; a context manager.

    Time stands still between calls: an access of a register takes as many cycles as the bus does,
    `advance` as many as it is told.

    Parameters
    ----------
    project : RtlProject
        Of `emit.system.emit_system`.
    templates : Path or None
        Folder of other RTL sources than ours.

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
        progress: Callable[[str], None] = lambda text: None,
    ) -> None:
        made = build(project, templates=templates, progress=progress, harness=HARNESS)
        self._folder = tempfile.TemporaryDirectory(prefix="bonn_hw-")
        # Memory images are read where the process runs.
        write(project, Path(self._folder.name))
        self._process = subprocess.Popen(
            [str(made.executable)],
            cwd=self._folder.name,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

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
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            if pipe is not None:
                with suppress(BrokenPipeError):
                    pipe.close()
        self._folder.cleanup()

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
        """Let time pass, up to an interrupt; returns the cycles that have passed."""
        return self._number("A", cycles)

    def disturb(self, seed: int, latency: int = 0, gaps: int = 0, errors: int = 0) -> None:
        """Make memory slow and faulty.

        Parameters
        ----------
        latency : int
            Cycles that a burst may wait.
        gaps : int
            Of a thousand cycles, those in which a channel does nothing.
        errors : int
            Of a thousand bursts, those that are answered with an error.
        """
        self._number("F", seed, latency, gaps, errors)

    def _number(self, letter: str, *numbers: int, data: bytes = b"") -> int:
        return int.from_bytes(self._ask(letter, numbers, data, 8), "little")

    def _ask(self, letter: str, numbers: tuple[int, ...], data: bytes, count: int) -> bytes:
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin and stdout  # noqa: S101  # narrows: both are pipes
        words = letter.encode() + b"".join(n.to_bytes(8, "little") for n in numbers) + data
        told = b""
        with suppress(BrokenPipeError):
            stdin.write(words)
            stdin.flush()
            told = stdout.read(count)
        if len(told) < count:
            _, reason = self._process.communicate()
            raise BrokenRule(reason.decode().strip() or f"exit code {self._process.returncode}")
        return told

    def _in_memory(self, address: int, count: int) -> None:
        if address < 0 or address + count > MEMORY_BYTES:
            raise ValueError(f"{count} bytes at {address:#x} are not in memory")
