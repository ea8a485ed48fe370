# SPDX-License-Identifier: BSD-3-Clause
"""What is packed beside a bitstream: NAME.json and NAME.npz."""

from __future__ import annotations

import json
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import AcceleratorError
from .layout import Side
from .steps import evaluate

VERSION = 1


@dataclass(frozen=True)
class Metadata:
    """Facts of a design that its bitstream does not hold.

    Attributes
    ----------
    hash : str
        First 128 bits of the design's SHA-256, 32 hexadecimal digits; the bitstream has them too.
    address : int or None
        Of the registers; None: the .hwh beside the bitstream tells it.
    baud : int or None
        Bits a second of a board's serial line; None: it has a processing system.
    interval : int
        Cycles a frame, predicted; ``latency`` from the first beat in to the first answer.
    streams : tuple of str
        From input to output, as they are watched.
    facts, arrays
        Everything as it stands in the files.
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
    taken: Side
    given: Side
    facts: dict[str, Any]
    arrays: dict[str, NDArray[Any]]

    @classmethod
    def load(cls, bitstream: Path) -> Metadata:
        """Read the files beside a bitstream; raises AcceleratorError."""
        name = bitstream.with_suffix(".json")
        try:
            facts = json.loads(name.read_text())
            with np.load(bitstream.with_suffix(".npz"), allow_pickle=False) as file:
                arrays = dict(file)
        except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
            raise AcceleratorError(
                f"{name} and .npz beside it cannot be read ({error}): copy the whole folder again"
            ) from error
        version = facts.get("version") if isinstance(facts, dict) else None
        if version != VERSION:
            raise AcceleratorError(
                f"{name} is of version {version}, this driver reads {VERSION}: copy the driver "
                "that was packed with it"
            )
        try:
            return cls._of(facts, arrays)
        except (KeyError, TypeError) as error:
            raise AcceleratorError(
                f"{name} lacks {error} or holds nonsense there: copy the whole folder again"
            ) from error

    @classmethod
    def _of(cls, facts: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> Metadata:
        for array in ("encode_order", "decode_order", "answers", "golden_images", "golden_answers"):
            arrays[array]
        return cls(
            facts["hash"],
            facts["board"],
            facts["address"],
            facts["baud"],
            facts["clock_mhz"],
            facts["cycles_per_frame"],
            facts["latency_cycles"],
            tuple(facts["streams"]),
            tuple(facts["input_shape"]),
            Side(**facts["input"]),
            Side(**facts["output"]),
            facts,
            arrays,
        )

    def encode(self, images: NDArray[np.float32]) -> NDArray[np.int64]:
        """Integers ``(N, elements)`` in stream order of what the model is fed.

        Raises
        ------
        AcceleratorError
            If shape, type or values are not those of the model's input.
        """
        self._check(images)
        head, frames = self.facts["head"], len(images)
        values = images
        if head is not None:
            steps = [tuple(step) for step in head["steps"]]
            values = evaluate(steps, self.arrays, images, head["entry"], head["exit"])
        integers = np.rint(values / np.float32(self.facts["step"])).reshape(frames, -1)
        if head is None and (integers != values.reshape(frames, -1)).any():
            raise AcceleratorError("images: the model takes whole numbers and has no quantiser")
        stream = np.empty(integers.shape, np.int64)
        stream[:, self.arrays["encode_order"].reshape(-1)] = integers
        low, high = stream.min(), stream.max()
        if low < self.taken.low or high > self.taken.high:
            raise AcceleratorError(
                f"images: values from {low} to {high} steps leave the range [{self.taken.low}, "
                f"{self.taken.high}] that the model states: scale them as in training"
            )
        return stream

    def decode(self, integers: NDArray[np.int64]) -> NDArray[np.float32]:
        """The model's answer from integers ``(N, elements)`` in stream order."""
        order, table = self.arrays["decode_order"], self.arrays["answers"]
        chosen = integers[:, order] - self.facts["answers_from"]
        answers: NDArray[np.float32] = table[np.arange(order.size), chosen]
        return answers.reshape(len(integers), *self.facts["output_shape"])

    def _check(self, images: Any) -> None:
        wanted = ", ".join(map(str, self.input_shape))
        if not isinstance(images, np.ndarray) or images.dtype != np.float32:
            kind = getattr(images, "dtype", type(images).__name__)
            raise AcceleratorError(
                f"images: the model takes float32, not {kind}: convert with astype"
            )
        if images.ndim == 0 or images.shape[1:] != self.input_shape or len(images) == 0:
            raise AcceleratorError(
                f"images: the model takes the shape (N, {wanted}), not {images.shape}: put the "
                "frames first and reshape each"
            )
        if not np.isfinite(images).all():
            raise AcceleratorError("images: there are NaN or infinity: every value must be finite")
