# SPDX-License-Identifier: BSD-3-Clause
"""The host's part of a model: from its input to integers, and from integers to its output."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import AttributeProto, ModelProto, NodeProto

from bonn_hw import tools
from bonn_hw.errors import UserError
from bonn_hw.frontend import border, execute
from bonn_hw.frontend.execute import Array
from bonn_hw.frontend.model import BATCH
from bonn_hw.frontend.outputs import Output, cut_up
from bonn_hw.frontend.stated_grid import StatedGrid
from bonn_hw.ir.tensor import Element, Integers

CHUNK = 64  # frames: what is computed of them stays in the cache of a core


@dataclass(frozen=True, eq=False)
class Host:
    """Float operators of the model before the first and after the last integer tensor.

    Attributes
    ----------
    input_shape : tuple of int
        Shape of the model's input without the batch axis.
    head, tail : ModelProto or None
        The operators before and after the accelerator; None if there are none.
    input_scale : float
        Scale of the accelerator's input: an integer n stands for ``input_scale * n``.
    element : Element
        Range of the accelerator's input.
    encode_order, decode_order : int64, shapes of the model's tensors without the batch axis
        Index of each element in the stream.
    scale : float32 ``(C,)``
        Scale of the accelerator's output, for each channel.
    outputs : tuple of Output
        The outputs of the model; if there are several, `decode` returns them joined.
    stated : StatedGrid or None
        The values of the input, if the model has no quantiser for it.
    """

    input_shape: tuple[int, ...]
    head: ModelProto | None
    tail: ModelProto | None
    input_scale: float
    element: Element
    encode_order: NDArray[np.int64]
    decode_order: NDArray[np.int64]
    scale: NDArray[np.float32]
    outputs: tuple[Output, ...] = ()
    stated: StatedGrid | None = None

    def encode(self, frames: NDArray[np.float32]) -> Integers:
        """Compute the accelerator's input from the model's input.

        Parameters
        ----------
        frames : float32 ``(N, *input_shape)``

        Returns
        -------
        int16 or int32 ``(N, elements)``, in stream order

        Raises
        ------
        UserError
            If shape, type or values do not fit the model's input.
        """
        shape = ", ".join(map(str, self.input_shape))
        if not isinstance(frames, np.ndarray) or frames.dtype != np.float32:
            kind = getattr(frames, "dtype", type(frames).__name__)
            raise UserError(f"inputs: the model takes float32, not {kind}: convert with astype")
        if frames.ndim == 0 or frames.shape[1:] != self.input_shape or len(frames) == 0:
            raise UserError(
                f"inputs: the model takes the shape (N, {shape}), not {frames.shape}: put the "
                "frames first and reshape each"
            )
        chunks = (frames[at : at + CHUNK] for at in range(0, len(frames), CHUNK))
        if not all(np.isfinite(one).all() for one in chunks):
            bad = int(np.flatnonzero(~np.isfinite(frames.reshape(len(frames), -1)).all(axis=1))[0])
            raise UserError(
                f"inputs: frame {bad} holds NaN or infinity: every value must be finite"
            )
        if self.stated is not None:
            self.stated.check(frames)
        kind = np.int16 if max(-self.element.low, self.element.high) < 2**15 else np.int32
        stream = np.empty((len(frames), self.encode_order.size), kind)
        batches = [slice(at, at + BATCH) for at in range(0, len(frames), BATCH)]
        with tools.threads(min(tools.cores(), len(batches))) as pool:
            found = pool.map(lambda one: self._encode(frames[one], stream[one]), batches)
            lows, highs, inside = zip(*found, strict=True)
        if not all(inside):
            raise UserError(
                f"inputs: their integers from {min(lows):g} to {max(highs):g} leave the range "
                f"[{self.element.low}, {self.element.high}] of the model's input"
            )
        return stream

    def _encode(self, frames: NDArray[np.float32], stream: Integers) -> tuple[float, float, bool]:
        """Fill a part of the stream; the limits of the integers, and whether all fit."""
        values = self.head_values(frames).reshape(len(frames), -1)
        low, high, inside = np.inf, -np.inf, True
        for at in range(0, len(frames), CHUNK):
            integers: Array = values[at : at + CHUNK] / np.float32(self.input_scale)
            np.rint(integers, out=integers)
            low, high = min(low, integers.min()), max(high, integers.max())
            inside = inside and self.element.holds(integers)
            if inside:
                narrow, part = integers.astype(stream.dtype), stream[at : at + CHUNK]
                np.take(narrow, self._stream_order, axis=1, out=part, mode="clip")
        return low, high, inside

    def head_values(self, frames: NDArray[np.float32]) -> Array:
        """Apply the operators before the accelerator to frames."""
        return _run(self._head_session, frames)

    def decode(self, integers: Integers) -> Array:
        """Compute the model's output from the accelerator's output ``(N, H, W, C)``.

        It is float32, or what the model's last operator returns, such as int64 of an ArgMax.
        """
        shape = (len(integers), *self.decode_order.shape)
        channels = self.decode_order.reshape(-1) % len(self.scale)
        flat = integers.reshape(len(integers), -1)[:, self.decode_order.reshape(-1)]
        values = (flat * self.scale[channels].astype(np.float64)).astype(np.float32)
        return _run(self._tail_session, values.reshape(shape))

    def by_name(self, values: Array) -> dict[str, Array]:
        """The outputs of the model by name, from what `decode` returns."""
        return cut_up(self.outputs, values)

    @property
    def stated_by_user(self) -> StatedGrid | None:
        """The values of the input, if the user stated them; the model is read with them again."""
        return self.stated if self.stated and self.stated.by_user else None

    @cached_property
    def _stream_order(self) -> NDArray[np.intp]:
        """Index of each element of the stream in the model's tensor."""
        return np.argsort(self.encode_order.reshape(-1))

    @cached_property
    def _head_session(self) -> execute.Session | None:
        return None if self.head is None else execute.session(self.head)

    @cached_property
    def _tail_session(self) -> execute.Session | None:
        return None if self.tail is None else execute.session(self.tail)

    def random_frames(self, count: int, seed: int = 0) -> NDArray[np.float32]:
        """Random input frames: values of the grid that is stated, else within ±1."""
        rng, shape = np.random.default_rng(seed), (count, *self.input_shape)
        if self.stated is not None:
            return self.stated.random(rng, shape)
        return rng.uniform(-1, 1, shape).astype(np.float32)

    def trial_frames(self, random: int = 4) -> NDArray[np.float32]:
        """Frames that test the model.

        Random ones; all low; all high; low and high in turn; and, of images, a high border round
        low pixels, and the reverse, because layers that pad treat borders apart.
        """
        rng, shape = np.random.default_rng(0), (random, *self.input_shape)
        low, high = self.element.low * self.input_scale, self.element.high * self.input_scale
        if self.stated is not None:
            low, high = (end * self.stated.scale for end in (self.stated.low, self.stated.high))
        corners = np.full((3, int(np.prod(self.input_shape))), low, np.float32)
        corners[1], corners[2, 1::2] = high, high
        first = (
            self.integer_frames(rng, shape) if self.stated is None else self.random_frames(random)
        )
        frames = [first, corners.reshape(3, *self.input_shape)]
        if len(self.input_shape) in (2, 3):
            framed = np.full((2, *self.input_shape), high, np.float32)
            inner = framed[0, :, 1:-1, 1:-1] if framed.ndim == 4 else framed[0, :, 1:-1]
            inner[...] = low
            framed[1] = low + high - framed[0]
            frames.append(framed)
        if self.head is not None:
            frames[0][::2] = self.random_frames(random)[::2]
        return np.concatenate(frames)

    def integer_frames(
        self, rng: np.random.Generator, shape: tuple[int, ...]
    ) -> NDArray[np.float32]:
        """Random integers of the accelerator's input, times their scale."""
        if self.element.bipolar:
            integers = rng.choice([-1, 1], shape)
        else:
            integers = rng.integers(self.element.low, self.element.high + 1, shape)
        return (integers * self.input_scale).astype(np.float32)

    def check(self, inputs: int, output: tuple[int, int, int]) -> None:
        """Raise ValueError if it does not fit an accelerator.

        Parameters
        ----------
        inputs : int
            Elements of the accelerator's input.
        output : tuple of int
            Shape ``(H, W, C)`` of its output.
        """
        if not np.array_equal(np.sort(self.encode_order, axis=None), np.arange(inputs)):
            raise ValueError(f"encode_order is no order of {inputs} elements")
        decode, elements = self.decode_order, output[0] * output[1] * output[2]
        if decode.dtype.kind != "i" or not decode.size or not 0 <= decode.min() <= decode.max():
            raise ValueError("decode_order holds no indices")
        if decode.max() >= elements:
            raise ValueError(f"decode_order leaves the {elements} elements of the output")
        if self.scale.dtype != np.float32 or self.scale.ndim != 1 or not self.scale.size:
            raise ValueError("scale is no list of float32")
        if not all(type(one) is int and one > 0 for one in self.input_shape):
            raise ValueError(f"the input's shape is {self.input_shape}")
        if type(self.input_scale) is not float or not 0 < self.input_scale < np.inf:
            raise ValueError(f"the input's scale is {self.input_scale}")

    def save(self, folder: Path) -> None:
        """Write to a folder; `load` reads it back without the model file."""
        for name, model in (("head", self.head), ("tail", self.tail)):
            if model is not None:
                (folder / f"{name}.onnx").write_bytes(model.SerializeToString(deterministic=True))
        description = {
            "input_shape": self.input_shape,
            "step": self.input_scale,
            "element": [self.element.low, self.element.high, self.element.bipolar],
            "head": self.head is not None,
            "tail": self.tail is not None,
            "stated": None if self.stated is None else asdict(self.stated),
            "outputs": [[one.name, one.shape, one.dtype] for one in self.outputs],
        }
        (folder / "host.json").write_text(json.dumps(description, indent=1) + "\n")
        np.savez(
            folder / "host.npz",
            encode_order=self.encode_order,
            decode_order=self.decode_order,
            scale=self.scale,
        )

    @classmethod
    def load(cls, folder: Path) -> Host:
        """Read what `save` wrote."""
        description = json.loads((folder / "host.json").read_text())
        models = {
            name: _model(folder / f"{name}.onnx") if description[name] else None
            for name in ("head", "tail")
        }
        with np.load(folder / "host.npz", allow_pickle=False) as arrays:
            return cls(
                tuple(description["input_shape"]),
                models["head"],
                models["tail"],
                description["step"],
                Element(*description["element"]),
                arrays["encode_order"],
                arrays["decode_order"],
                arrays["scale"],
                tuple(
                    Output(name, tuple(shape), dtype)
                    for name, shape, dtype in description.get("outputs", ())
                ),
                StatedGrid(**description["stated"]) if description.get("stated") else None,
            )


# Operators that return other values at each call.
UNREPEATABLE = ("Bernoulli", "Multinomial", "RandomNormalLike", "RandomUniformLike")


def can_run(nodes: Sequence[NodeProto]) -> bool:
    """Whether the host can run nodes: no random operators, and no control flow."""
    graphs = (AttributeProto.GRAPH, AttributeProto.GRAPHS)
    return not any(
        node.op_type in UNREPEATABLE or any(item.type in graphs for item in node.attribute)
        for node in nodes
    )


def _model(file: Path) -> ModelProto:
    model = onnx.load_model_from_string(file.read_bytes())
    for name in border.external(model):
        raise UserError(f"{file} keeps {name!r} in another file: compile the model again")
    if all(one.domain for one in model.opset_import) or not model.graph.input:
        raise UserError(f"{file} is damaged: it has no operator set or no input: compile again")
    return model


def _run(session: execute.Session | None, values: Array) -> Array:
    if session is None:
        return values
    entry, exit_ = session.get_inputs()[0].name, session.get_outputs()[0].name
    # In the reference's batches: ONNX Runtime rounds an average in another order in a larger batch.
    parts = [
        session.run([exit_], {entry: values[start : start + BATCH]})[0]
        for start in range(0, max(1, len(values)), BATCH)
    ]
    return np.concatenate(parts)
