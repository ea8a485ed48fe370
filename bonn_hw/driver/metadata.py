# SPDX-License-Identifier: BSD-3-Clause
"""The metadata files next to a bitstream: NAME.json and NAME.npz."""

from __future__ import annotations

import json
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .errors import AcceleratorError
from .layout import Side
from .steps import evaluate

if TYPE_CHECKING:
    from numpy.typing import NDArray

VERSION = 1


@dataclass(frozen=True)
class Metadata:
    """Properties of a design that are not in its bitstream.

    Attributes
    ----------
    hash : str
        First 128 bits of the design's SHA-256, 32 hexadecimal digits; the bitstream has it, too.
    address : int or None
        Address of the registers; None: it is in the .hwh next to the bitstream.
    baud : int or None
        Bits per second of a board's serial line; None: it has a processing system.
    interval : int
        Predicted cycles per frame; ``latency``: from the first input beat to the first answer.
    streams : tuple of str
        The streams with counters, from input to output.
    input, output : Side
        Layout of the frames in memory.
    document, arrays
        The contents of the files.
    """

    hash: str
    board: str
    address: int | None
    baud: int | None
    clock_mhz: float
    interval: int
    latency: int
    streams: tuple[str, ...]
    input_shape: tuple[int, ...]
    input: Side
    output: Side
    document: dict[str, Any]
    arrays: dict[str, NDArray[Any]]

    @classmethod
    def load(cls, bitstream: Path) -> Metadata:
        """Read the files next to a bitstream; raises AcceleratorError."""
        name = bitstream.with_suffix(".json")
        try:
            document = json.loads(name.read_text())
            with np.load(bitstream.with_suffix(".npz"), allow_pickle=False) as file:
                arrays = dict(file)
        except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
            raise AcceleratorError(
                f"{name} and the .npz next to it cannot be read ({error}): copy the whole folder "
                "again"
            ) from error
        version = document.get("version") if isinstance(document, dict) else None
        if version != VERSION:
            raise AcceleratorError(
                f"{name} is of version {version}, this driver reads {VERSION}: copy the driver "
                "that was packed with it"
            )
        try:
            return cls._of(document, arrays)
        except (KeyError, TypeError) as error:
            raise AcceleratorError(
                f"{name} lacks {error} or has a wrong value there: copy the whole folder again"
            ) from error

    @classmethod
    def _of(cls, document: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> Metadata:
        for array in ("encode_order", "decode_order", "answers", "golden_images", "golden_answers"):
            arrays[array]
        return cls(
            document["hash"],
            document["board"],
            document["address"],
            document["baud"],
            document["clock_mhz"],
            document["cycles_per_frame"],
            document["latency_cycles"],
            tuple(document["streams"]),
            tuple(document["input_shape"]),
            Side(**document["input"]),
            Side(**document["output"]),
            document,
            arrays,
        )

    def encode(self, images: NDArray[np.float32]) -> NDArray[np.int64]:
        """Convert the model's inputs to integers ``(N, elements)`` in stream order.

        Raises
        ------
        AcceleratorError
            If the shape, type or values do not fit the model's input.
        """
        self._check(images)
        self._check_stated(images)
        frames = len(images)
        values = self._computed("head", images)
        integers = np.rint(values / np.float32(self.document["step"])).reshape(frames, -1)
        stream = np.empty(integers.shape, np.int64)
        stream[:, self.arrays["encode_order"].reshape(-1)] = integers
        low, high = stream.min(), stream.max()
        if low < self.input.low or high > self.input.high:
            raise AcceleratorError(
                f"images: values from {low} to {high} steps are outside the range "
                f"[{self.input.low}, {self.input.high}] of the model: scale them as in training"
            )
        return stream

    def decode(self, integers: NDArray[np.int64]) -> NDArray[Any]:
        """Compute the model's answers from integers ``(N, elements)`` in stream order."""
        order, table = self.arrays["decode_order"], self.arrays["answers"]
        chosen = integers[:, order] - self.document["answers_from"]
        answers: NDArray[np.float32] = table[np.arange(order.size), chosen]
        shaped = answers.reshape(len(integers), *self.document["output_shape"])
        return self._computed("tail", shaped)

    def by_name(self, answers: NDArray[Any]) -> dict[str, NDArray[Any]]:
        """Several outputs of the model by name, from what `decode` returns."""
        outputs = self.document.get("outputs", [])
        if len(outputs) < 2:
            return {name: answers for name, _, _ in outputs}
        parts, place = {}, 0
        for name, shape, dtype in outputs:
            size = int(np.prod(shape))
            part = answers[:, place : place + size].astype(dtype)
            parts[name] = part.reshape(len(answers), *shape)
            place += size
        return parts

    def _computed(self, part: str, values: NDArray[Any]) -> NDArray[Any]:
        """Apply the operators before or after the accelerator."""
        found = self.document.get(part)
        if found is None:
            return values
        steps = [tuple(step) for step in found["steps"]]
        return evaluate(steps, self.arrays, values, found["entry"], found["exit"])

    def _check_stated(self, images: NDArray[np.float32]) -> None:
        """Refuse values that the input is not stated to have, of a model without a quantiser."""
        stated = self.document.get("stated")
        if stated is None:
            return
        integers = np.rint(images / np.float32(stated["scale"])).astype(np.float64)
        far = np.abs(images - integers * stated["scale"]) > 2.0**-22 * np.abs(images)
        if stated["scale"] == 1 and far.any():
            raise AcceleratorError(
                "images: the model needs whole numbers, since it has no quantiser"
            )
        low, high = stated["low"], stated["high"]
        if far.any() or integers.min() < low or integers.max() > high:
            raise AcceleratorError(
                f"images: the model needs multiples of {stated['scale']:g}, from "
                f"{low * stated['scale']:g} to {high * stated['scale']:g}"
            )

    def _check(self, images: Any) -> None:
        shape = ", ".join(map(str, self.input_shape))
        if not isinstance(images, np.ndarray) or images.dtype != np.float32:
            kind = getattr(images, "dtype", type(images).__name__)
            raise AcceleratorError(
                f"images: the model takes float32, not {kind}: convert with astype"
            )
        if images.ndim == 0 or images.shape[1:] != self.input_shape or len(images) == 0:
            raise AcceleratorError(
                f"images: the model takes the shape (N, {shape}), not {images.shape}: put the "
                "frames first and reshape each"
            )
        if not np.isfinite(images).all():
            raise AcceleratorError("images: there are NaN or infinity: every value must be finite")
