# SPDX-License-Identifier: BSD-3-Clause
"""The common base of all accelerators: predict, classify, self test, hash check."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import numpy as np

from .errors import AcceleratorError
from .metadata import Metadata

if TYPE_CHECKING:
    from typing import Self  # boards with pynq 3.0 run Python 3.10, which has none

    from numpy.typing import NDArray


class Model(ABC):
    """An accelerator for images; a context manager.

    Parameters
    ----------
    bitstream : Path
        The .bit file; its .json and .npz must be next to it.
    """

    def __init__(self, bitstream: Path) -> None:
        self.metadata = Metadata.load(bitstream)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @abstractmethod
    def close(self) -> None:
        """Release the board; a second call does nothing."""

    @abstractmethod
    def predict(self, images: NDArray[np.float32]) -> NDArray[Any]:
        """Answer images as the model does, bit for bit, up to `ends_before`.

        Parameters
        ----------
        images : float32 ``(N, *input_shape)``
            Inputs of the model.
        """

    @property
    def ends_before(self) -> str:
        """The operator of the model before which `predict` ends; empty if it computes all.

        The driver has NumPy only, and not every operator behind the accelerator.
        """
        found: str = self.metadata.document.get("ends_before", "")
        return found

    def outputs(self, images: NDArray[np.float32]) -> dict[str, NDArray[Any]]:
        """The outputs of the model by name; `predict` returns several as one ``(N, F)``."""
        return self.metadata.by_name(self.predict(images))

    def classify(self, images: NDArray[np.float32]) -> NDArray[np.int64]:
        """The class of each image: where its answer is largest, or the first that it names."""
        answers = self.predict(images)
        if answers.dtype.kind == "i":
            chosen: NDArray[np.int64] = answers.reshape(len(answers), -1)[:, 0]
            return chosen
        classes: NDArray[np.int64] = answers.reshape(len(answers), -1).argmax(axis=1)
        return classes

    def self_test(self) -> None:
        """Run the golden frames; raises AcceleratorError if any answer differs."""
        arrays = self.metadata.arrays
        answers = self.predict(arrays["golden_images"])
        wrong = (answers != arrays["golden_answers"]).reshape(len(answers), -1).any(axis=1)
        if wrong.any():
            raise AcceleratorError(
                f"self test: {int(wrong.sum())} of {len(wrong)} golden frames have wrong "
                f"answers, the first one is {int(wrong.argmax())}: lower the clock, or build the "
                "bitstream again"
            )

    def _check_hash(self, loaded: str) -> None:
        """Raise AcceleratorError if the hash of the loaded design is not that of the files."""
        if loaded != self.metadata.hash:
            raise AcceleratorError(
                f"the bitstream is of design {loaded[:12]}, the metadata of "
                f"{self.metadata.hash[:12]}: copy both from the same build"
            )
