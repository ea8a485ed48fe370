# SPDX-License-Identifier: BSD-3-Clause
"""An accelerator on its board: images in, answers out. A hang always raises an error."""

from __future__ import annotations

import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from . import registers as reg
from .errors import AcceleratorError
from .machine import Buffer, Machine, PynqMachine
from .model import Model
from .profile import Profile, StreamUse

if TYPE_CHECKING:
    from numpy.typing import NDArray

PATIENCE = 8  # times the predicted cycles, after which a run has failed
GRACE_CYCLES = 200_000  # added to that
RESET_CYCLES = 100_000


class Accelerator(Model):
    """A design on a board; a context manager.

    Parameters
    ----------
    bitstream : str or Path
        The .bit file; its .json, .npz and, if it has one, .hwh must be next to it.
    machine : Machine or None
        The board; None: this PYNQ board, which is loaded with the bitstream.
    batch : int
        Maximum frames per run; memory is allocated for this many.
    check : bool
        Whether the golden frames are run first, see `self_test`.

    Raises
    ------
    AcceleratorError
        If files are missing or damaged, if they belong to another bitstream, or if an answer to the
        golden frames is wrong.
    """

    def __init__(
        self,
        bitstream: str | Path,
        machine: Machine | None = None,
        batch: int = 256,
        check: bool = True,
    ) -> None:
        if batch < 1:
            raise AcceleratorError(f"batch {batch} must be at least 1")
        super().__init__(Path(bitstream))
        metadata = self.metadata
        if machine is None and metadata.baud is not None:
            raise AcceleratorError(
                f"{bitstream} is for the board {metadata.board}, which has a serial line: use "
                "SerialAccelerator"
            )
        self._machine = machine or PynqMachine(
            Path(bitstream), metadata.clock_mhz, metadata.board, metadata.address
        )
        self._batch = batch
        self._buffers: tuple[Buffer, Buffer] | None = None
        self._closed = False
        try:
            self._identify()
            self.reset()
            if check:
                self.self_test()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Free the memory and release the board; a second call does nothing."""
        if self._closed:
            return
        self._closed = True
        for buffer in self._buffers or ():
            buffer.free()
        self._buffers = None
        self._machine.close()

    def predict(self, images: NDArray[np.float32]) -> NDArray[np.float32]:
        """Answer images as the model does, bit for bit.

        Parameters
        ----------
        images : float32 ``(N, *input_shape)``
            Inputs of the model.

        Raises
        ------
        AcceleratorError
            If the images do not have the model's shape, type or range; if the bus answers with an
            error or a run takes too long (the accelerator is then reset, and can be used again);
            or if the accelerator is closed.
        """
        integers = self.metadata.encode(images)
        parts = [
            self._run(integers[start : start + self._batch])
            for start in range(0, len(integers), self._batch)
        ]
        return self.metadata.decode(np.concatenate(parts))

    def benchmark(self, frames: int = 0) -> dict[str, Any]:
        """Measure the speed with golden frames, repeated as needed.

        Parameters
        ----------
        frames : int
            Frames of the run; 0, or more than a batch: a batch.

        Returns
        -------
        dict
            ``frames``; ``frames_per_second`` by wall clock, with transfers; by the accelerator's
            counters: ``cycles`` of the run, ``interval_cycles`` between answers,
            ``latency_cycles`` to the first answer, ``frames_per_second_at_clock``, of the clock
            that runs, ``clock_mhz``, which may be slower than the planned one; ``streams``:
            for each its ``name``, and the fractions of the cycles in which a beat was
            ``waiting`` for its consumer and in which the stream was ``empty``.
        """
        if frames < 0:
            raise AcceleratorError(f"frames {frames} must be at least 1, or 0 for a batch")
        golden = self.metadata.arrays["golden_images"]
        frames = min(frames or self._batch, self._batch)
        images = np.resize(golden, (frames, *golden.shape[1:]))
        integers = self.metadata.encode(images)
        begin = time.perf_counter()
        self.metadata.decode(self._run(integers))
        seconds = time.perf_counter() - begin
        read, cycles = self._machine.read, self._cycles()
        first, last = read(reg.FIRST), read(reg.LAST)
        interval = (last - first) / (frames - 1) if frames > 1 else float(cycles)
        return {
            "frames": frames,
            "frames_per_second": frames / seconds,
            "cycles": cycles,
            "interval_cycles": interval,
            "latency_cycles": first,
            "clock_mhz": self._machine.clock_mhz,
            "frames_per_second_at_clock": self._machine.clock_mhz * 1e6 / interval,
            "streams": [asdict(stream) for stream in self._streams(cycles)],
        }

    def profile(self, images: NDArray[np.float32]) -> Profile:
        """Run images, and find the slowest layer: the one that no other holds up.

        Parameters
        ----------
        images : float32 ``(N, *input_shape)``
            As for `predict`; at most a batch of them is run.
        """
        integers = self.metadata.encode(images[: self._batch])
        self._run(integers)
        cycles = self._cycles()
        return Profile(len(integers), cycles, self._streams(cycles))

    def _cycles(self) -> int:
        """Length of the last run."""
        return self._machine.read(reg.CYCLES) | self._machine.read(reg.CYCLES + 4) << 32

    def _streams(self, cycles: int) -> tuple[StreamUse, ...]:
        """Counters of the streams in the last run."""
        read = self._machine.read
        return tuple(
            StreamUse(
                name,
                waiting=read(reg.STREAMS + 8 * place) / cycles,
                empty=read(reg.STREAMS + 8 * place + 4) / cycles,
            )
            for place, name in enumerate(self.metadata.streams[: read(reg.WATCHED)])
        )

    def reset(self) -> None:
        """Abort a run; raises AcceleratorError if the bus does not become idle."""
        self._machine.write(reg.CONTROL, reg.RESET)
        left = RESET_CYCLES / (self._machine.clock_mhz * 1e6)
        while self._machine.read(reg.STATUS) & (reg.BUSY | reg.RESETTING):
            left -= self._machine.wait()
            if left < 0:
                raise AcceleratorError(
                    "reset: memory does not answer earlier requests: load the bitstream "
                    "again, and check that no other design uses the same port"
                )
        self._machine.write(reg.ERRORS, reg.EVERYTHING)

    def _identify(self) -> None:
        read = self._machine.read
        if read(reg.MAGIC) != reg.MAGIC_VALUE:
            raise AcceleratorError(
                f"{self._machine.name} has no accelerator of bonn-hw at its address: load the "
                "bitstream that belongs to the metadata"
            )
        if read(reg.INTERFACE) != reg.INTERFACE_VERSION:
            raise AcceleratorError(
                f"the bitstream has interface {read(reg.INTERFACE)}, this driver "
                f"{reg.INTERFACE_VERSION}: copy the driver that was packed with it"
            )
        loaded = "".join(f"{read(reg.HASH + 4 * place):08x}" for place in range(4))
        self._check_hash(loaded)

    def _run(self, integers: NDArray[np.int64]) -> NDArray[np.int64]:
        """Run at most a batch: integers to integers, in stream order."""
        if self._closed:
            raise AcceleratorError("the accelerator is closed: make another Accelerator")
        frames, metadata = len(integers), self.metadata
        source, result = self._memory()
        size = frames * metadata.input.frame_bytes
        source.array[:size] = metadata.input.pack(integers).reshape(-1)
        source.flush()
        limit = PATIENCE * (frames * metadata.interval + metadata.latency) + GRACE_CYCLES
        for offset, value in (
            (reg.ERRORS, reg.EVERYTHING),
            (reg.IN_ADDRESS, source.address),
            (reg.OUT_ADDRESS, result.address),
            (reg.FRAMES, frames),
            (reg.WATCHDOG, GRACE_CYCLES + PATIENCE * metadata.latency),
            (reg.CONTROL, reg.START),
        ):
            self._machine.write(offset, value)
        try:
            self._finish(limit, frames)
        except BaseException as error:
            # After any error, also Ctrl-C: the accelerator must not write to memory that is freed.
            self._abandon(error)
            raise
        result.invalidate()
        memory = result.array[: frames * metadata.output.frame_bytes].reshape(frames, -1)
        return metadata.output.unpack(memory)

    def _finish(self, limit: int, frames: int) -> None:
        """Wait for the end of a run; raises AcceleratorError if it fails or takes too long."""
        left = limit / (self._machine.clock_mhz * 1e6)
        while True:
            status = self._machine.read(reg.STATUS)
            if status & reg.DONE:
                return
            if status & reg.ERROR or left < 0 or not status & reg.BUSY:
                break
            left -= self._machine.wait()
        errors, done = self._machine.read(reg.ERRORS), self._machine.read(reg.FRAMES_OUT)
        stalled = self._machine.read(reg.STALLED)
        message = self._describe(errors, stalled)
        raise AcceleratorError(f"{message}; {done} of {frames} frames were done")

    def _abandon(self, error: BaseException) -> None:
        try:
            self.reset()
        except AcceleratorError as worse:
            what = str(error) or type(error).__name__
            raise AcceleratorError(f"{what}; {worse}") from error

    def _describe(self, errors: int, stalled: int) -> str:
        if errors & reg.READ_FAILED:
            return "the bus answered a read of the images with an error: was their memory freed?"
        if errors & reg.WRITE_FAILED:
            return "the bus answered a write of the answers with an error: was their memory freed?"
        if errors & reg.REFUSED:
            return "the run was refused: something else uses the accelerator at the same time"
        if errors & reg.WATCHDOG_BIT and stalled < len(self.metadata.streams):
            return (
                f"the accelerator hangs: data wait in stream {self.metadata.streams[stalled]}: "
                "report this, with the build"
            )
        if errors & reg.WATCHDOG_BIT:
            return "the accelerator hangs, and no data wait inside: memory does not answer"
        return "the run takes much longer than predicted: memory is slow, or the clock has stopped"

    def _memory(self) -> tuple[Buffer, Buffer]:
        if self._buffers is None:
            sides = (self.metadata.input, self.metadata.output)
            source, result = (
                self._machine.allocate(self._batch * side.frame_bytes) for side in sides
            )
            # From here on, the processor writes to the first one and reads the second one only: no
            # line of its caches may be written back over an answer.
            result.flush()
            self._buffers = (source, result)
        return self._buffers
