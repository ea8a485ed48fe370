# SPDX-License-Identifier: BSD-3-Clause
"""Input images of a command: a file, or the test images of a data set."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bonn_hw.errors import UserError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Images:
    """Inputs of the QONNX model, batch first, and their classes ``(N,)`` if known."""

    values: NDArray[np.float32]
    labels: NDArray[np.int64] | None = None


@dataclass(frozen=True)
class ImageSource:
    """The source of images: either a file or a data set, and the maximum number of images."""

    inputs: Path | None = None
    dataset: str | None = None
    count: int | None = None

    def load(self, shape: tuple[int, ...], transform: str | None) -> Images:
        """Read the images.

        Parameters
        ----------
        shape
            Shape of one image at the model's input.
        transform
            Name of the transform of a data set's images; None: they stay in [0, 1].

        Raises
        ------
        UserError
            If they cannot be read, or the images of a data set have another shape.
        """
        if self.inputs is not None:
            return Images(_read(self.inputs, self.count))
        from bonn_hw.nn.data import datasets

        tests = datasets.load(self.dataset or "", "test").first(self.count)
        if transform is not None:
            tests = tests.transformed(transform)
        if tests.images.shape[1:] != shape:
            raise UserError(
                f"--dataset {self.dataset}: its images are {tests.images.shape[1:]}, the model "
                f"takes {shape}: prepare them yourself and give them with --inputs"
            )
        return Images(tests.images, tests.labels)


def _read(path: Path, count: int | None) -> NDArray[np.float32]:
    import numpy as np

    try:
        # The file is mapped: what its header states is compared with its size, and not allocated.
        with np.errstate(all="ignore"):
            images: Any = np.load(path, mmap_mode="r", allow_pickle=False)
    except Exception as error:  # a damaged header is parsed as Python: SyntaxError, TokenError, ...
        reason = str(error).strip() or type(error).__name__
        raise UserError(
            f"--inputs {path} cannot be read as a NumPy array ({reason}): write it with "
            "numpy.save, float32, batch first"
        ) from error
    if not isinstance(images, np.ndarray):
        raise UserError(
            f"--inputs {path} is an archive of arrays (.npz): write one array with numpy.save, "
            "float32, batch first"
        )
    return np.array(images[:count] if images.ndim else images)
