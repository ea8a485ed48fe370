# SPDX-License-Identifier: BSD-3-Clause
"""An accelerator at the other end of a serial line: images in, answers out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from .errors import AcceleratorError
from .model import Model

if TYPE_CHECKING:
    from numpy.typing import NDArray


class SerialPort(Protocol):
    """The used part of `serial.Serial`."""

    timeout: float | None

    def write(self, data: bytes, /) -> Any:
        """Send data."""

    def read(self, size: int, /) -> bytes:
        """Receive ``size`` bytes, or fewer after the timeout."""

    def send_break(self, duration: float = 0.25) -> None:
        """Hold the line low for some time."""

    def reset_input_buffer(self) -> None:
        """Discard received data."""

    def close(self) -> None:
        """Close the port."""


class SerialAccelerator(Model):
    """A design on a board with a serial line; a context manager.

    Parameters
    ----------
    bitstream : str or Path
        The file that the board was loaded with; its .json and .npz must be next to it.
    port : str or SerialPort
        A port, or its name, such as ``/dev/ttyUSB0``, for which pyserial is needed.
    check : bool
        Whether the golden frames are run first.

    Raises
    ------
    AcceleratorError
        If files are missing or damaged, nothing answers, or another design answers.
    """

    def __init__(self, bitstream: str | Path, port: str | SerialPort, check: bool = True) -> None:
        super().__init__(Path(bitstream))
        metadata = self.metadata
        if metadata.baud is None:
            raise AcceleratorError(
                f"{bitstream} is for the board {metadata.board}: use Accelerator"
            )
        self._port = _open(port, metadata.baud) if isinstance(port, str) else port
        try:
            # Twice the longest time of an answer, and a second for delays of the host.
            bits = 10 * (metadata.input.frame_bytes + metadata.output.frame_bytes + 16)
            seconds = bits / metadata.baud + metadata.latency / (metadata.clock_mhz * 1e6)
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
        metadata = self.metadata
        frames = metadata.input.pack(metadata.encode(images))
        answers = np.empty((len(frames), metadata.output.frame_bytes), np.uint8)
        for place, frame in enumerate(frames):
            self._port.write(b"F" + frame.tobytes())
            answers[place] = np.frombuffer(self._receive(metadata.output.frame_bytes), np.uint8)
        return metadata.decode(metadata.output.unpack(answers))

    def reset(self) -> None:
        """Abort a run."""
        self._port.send_break()
        self._port.reset_input_buffer()

    def _identify(self) -> None:
        self._port.write(b"I")
        self._check_hash(self._receive(16).hex())

    def _receive(self, count: int) -> bytes:
        received = self._port.read(count)
        if len(received) != count:
            self.reset()
            raise AcceleratorError(
                f"the board sent {len(received)} of {count} bytes: check that it is loaded with "
                "the bitstream, and that no other program uses the line"
            )
        return received


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
