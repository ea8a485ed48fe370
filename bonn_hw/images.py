# SPDX-License-Identifier: BSD-3-Clause
"""Input images of a command: a file, the test images of a data set, or random frames."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bonn_hw.errors import UserError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Images:
    """Inputs of the QONNX model, batch first.

    Attributes
    ----------
    labels : int64 ``(N,)`` or None
        Their classes, if known.
    expected : float32 ``(N, ...)`` or None
        The outputs that the user expects.
    rounded : bool ``(N,)`` or None
        Frames in which a rounded sum is known to lead to another expected output.
    """

    values: NDArray[np.float32]
    labels: NDArray[np.int64] | None = None
    expected: NDArray[np.float32] | None = None
    rounded: NDArray[np.bool_] | None = None


@dataclass(frozen=True)
class ImageSource:
    """The source of images: a file, a data set or random frames; and the maximum number of them.

    Attributes
    ----------
    random : int or None
        Number of random frames, which `load` takes from its caller.
    labels, expected : Path or None
        Files with the classes, and with the expected outputs, of the images in a file.
    """

    inputs: Path | None = None
    dataset: str | None = None
    count: int | None = None
    random: int | None = None
    labels: Path | None = None
    expected: Path | None = None

    def load(
        self,
        shape: tuple[int, ...],
        transform: str | None,
        randomly: Callable[[int], NDArray[np.float32]] | None = None,
    ) -> Images:
        """Read the images.

        Parameters
        ----------
        shape
            Shape of one image at the model's input.
        transform
            Name of the transform of a data set's images; None: they stay in [0, 1].
        randomly
            Makes random frames, as many as asked.

        Raises
        ------
        UserError
            If they cannot be read, the images of a data set have another shape, or labels and
            expected outputs are not as many as the images.
        """
        if self.random is not None and randomly is not None:
            return Images(randomly(self.random))
        if self.inputs is not None:
            values = _first(read_array(self.inputs, "--inputs"), self.count)
            frames = len(values) if values.ndim else 0  # the model refuses what is no array
            return Images(values, self._labels(frames), self._expected(frames))
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

    def _labels(self, frames: int) -> NDArray[np.int64] | None:
        import numpy as np

        if self.labels is None:
            return None
        given = read_array(self.labels, "--labels", "one whole number for each frame")
        flat = given.reshape(-1)
        if given.size != len(given) or (flat != np.rint(flat)).any():
            raise UserError(
                f"--labels {self.labels}: it holds {given.dtype} of the shape {given.shape}: give "
                "one whole number for each frame, the class from 0 on"
            )
        _check_count(f"--labels {self.labels}", len(flat), frames, self.count)
        return flat[:frames].astype(np.int64)

    def _expected(self, frames: int) -> NDArray[np.float32] | None:
        import numpy as np

        if self.expected is None:
            return None
        given = read_array(self.expected, "--expected")
        _check_count(f"--expected {self.expected}", len(given), frames, self.count)
        return given[:frames].astype(np.float32)


def _first(values: NDArray[Any], count: int | None) -> NDArray[Any]:
    return values[:count] if values.ndim else values


def _check_count(what: str, given: int, frames: int, count: int | None) -> None:
    if given != frames and (count is None or given < frames):
        raise UserError(f"{what}: it has {given} frames, and the inputs have {frames}")


def read_array(path: Path, option: str, holds: str = "float32, batch first") -> NDArray[Any]:
    """Read a file of `numpy.save`; raises UserError that names the option."""
    import numpy as np

    try:
        # The file is mapped: what its header states is compared with its size, and not allocated.
        with np.errstate(all="ignore"):
            values: Any = np.load(path, mmap_mode="r", allow_pickle=False)
    except Exception as error:  # a damaged header is parsed as Python: SyntaxError, TokenError, ...
        reason = str(error).strip() or type(error).__name__
        raise UserError(
            f"{option} {path} cannot be read as a NumPy array ({reason}): write it with "
            f"numpy.save, {holds}"
        ) from error
    inputs = option == "--inputs"  # the model's own message says what is wrong with them
    if not isinstance(values, np.ndarray) or (not inputs and not values.ndim):
        raise UserError(f"{option} {path} holds no single array: write it with numpy.save, {holds}")
    if not inputs and values.dtype.kind not in "biuf":
        raise UserError(f"{option} {path} holds no numbers: write it with numpy.save, {holds}")
    return values


def read_arrays(path: Path, option: str) -> dict[str, NDArray[Any]]:
    """Read a file of `numpy.savez`; raises UserError that names the option."""
    import zipfile

    import numpy as np

    try:
        with np.load(path, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}
    except (OSError, ValueError, EOFError, AttributeError, zipfile.BadZipFile) as error:
        raise UserError(
            f"{option} {path} cannot be read as NumPy arrays ({error}): write it with numpy.savez, "
            "one array for each layer, named after it"
        ) from error
