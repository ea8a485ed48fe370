# SPDX-License-Identifier: BSD-3-Clause
"""An accelerator at the other end of a serial line: images in, answers out."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from .errors import AcceleratorError
from .model import Model


class SerialPort(Protocol):
    """What is used of `serial.Serial`."""

    timeout: float | None

    def write(self, data: bytes, /) -> Any:
        """Send."""

    def read(self, size: int, /) -> bytes:
        """Receive so many bytes, or fewer after the timeout."""

    def send_break(self, duration: float = 0.25) -> None:
        """Hold the line low."""

    def reset_input_buffer(self) -> None:
        """Forget what came."""

    def close(self) -> None:
        """Close."""


class SerialAccelerator(Model):
    """A design on a board with a serial line; a context manager.

    Parameters
    ----------
    bitstream : str or Path
        The file that the board was loaded with; its .json and .npz lie beside it.
    port : str or SerialPort
        Such as ``/dev/ttyUSB0``, for which the package pyserial is needed.
    check : bool
        Whether the golden frames are tried first.

    Raises
    ------
    AcceleratorError
        If files are missing or damaged, nothing answers, or it is another design that answers.
    """

    def __init__(self, bitstream: str | Path, port: str | SerialPort, check: bool = True) -> None:
        super().__init__(Path(bitstream))
        facts = self.metadata
        if facts.baud is None:
            raise AcceleratorError(f"{bitstream} is for the board {facts.board}: use Accelerator")
        self._port = _open(port, facts.baud) if isinstance(port, str) else port
        try:
            # Twice as long as the longest answer takes, and some for the host's own delays.
            bits = 10 * (facts.taken.frame_bytes + facts.given.frame_bytes + 16)
            seconds = bits / facts.baud + facts.latency / (facts.clock_mhz * 1e6)
            self._port.timeout = 1 + 2 * seconds
            self.reset()
            self._identify()
            if check:
                self.self_test()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the line."""
        self._port.close()

    def predict(self, images: NDArray[np.float32]) -> NDArray[np.float32]:
        """Answer images as the model does, bit for bit; raises as `Accelerator.predict`."""
        facts = self.metadata
        frames = facts.taken.pack(facts.encode(images))
        answers = np.empty((len(frames), facts.given.frame_bytes), np.uint8)
        for place, frame in enumerate(frames):
            self._port.write(b"F" + frame.tobytes())
            answers[place] = np.frombuffer(self._receive(facts.given.frame_bytes), np.uint8)
        return facts.decode(facts.given.unpack(answers))

    def reset(self) -> None:
        """Leave whatever is under way."""
        self._port.send_break()
        self._port.reset_input_buffer()

    def _identify(self) -> None:
        self._port.write(b"I")
        self._check_hash(self._receive(16).hex())

    def _receive(self, count: int) -> bytes:
        told = self._port.read(count)
        if len(told) != count:
            self.reset()
            raise AcceleratorError(
                f"the board sent {len(told)} of {count} bytes: check that it is loaded with the "
                "bitstream, and that no other program uses the line"
            )
        return told


def _open(name: str, baud: int) -> SerialPort:
    try:
        import serial
    except ModuleNotFoundError as error:
        raise AcceleratorError(
            "the package 'pyserial' is not installed: pip install pyserial"
        ) from error
    try:
        port: SerialPort = serial.Serial(name, baud)
    except serial.SerialException as error:
        raise AcceleratorError(f"{name} cannot be opened ({error}): is the board there?") from error
    return port
