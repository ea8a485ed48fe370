# SPDX-License-Identifier: BSD-3-Clause
"""The reference of a model: its operators one after the other, in float32, but with exact sums.

Float32 sums depend on their order, so ONNX Runtime and PyTorch do not agree on them, nor on the
moment at which a bias is added. The reference therefore states what a layer computes:

* A matrix layer's inputs and weights are scales times integers, so it is an integer sum. The
  reference sums the integers, multiplies by the scale of the output channel, rounds once to
  float32, and adds the bias as an operator of its own. Averages and sums of two branches likewise.
* Where the scales are powers of two and the sums below 2 ** 24, every float32 sum is exact in any
  order. Such layers stay as they are in the file, except that their bias is split off.
* All other operators are those of the file, executed by ONNX Runtime without optimisation.

It is an ONNX model of standard operators. It is stored in the build (``reference.onnx``), together
with what is known of its layers.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, ValueInfoProto, helper

from bonn_hw.errors import UserError
from bonn_hw.frontend import border, execute
from bonn_hw.frontend.exact_sums import Nodes
from bonn_hw.frontend.execute import Array
from bonn_hw.frontend.model import Model

BATCH = 256  # frames per run
KEY = "bonn_hw.layers"  # of the file's metadata


@dataclass(frozen=True)
class Sum:
    """A layer that the reference computes by other operators than the file.

    Attributes
    ----------
    layer : str
        Name of the node in the model.
    output : str
        The tensor of its outputs, in the model and in the reference.
    bound : tuple of float
        For each channel (axis 1), or one for all, the largest possible difference of the two
        outputs, because ONNX Runtime rounds its sums; zero where all sums are exact.
    """

    layer: str
    output: str
    bound: tuple[float, ...]


@dataclass(frozen=True)
class IntegerTensor:
    """A tensor whose values are integers times a scale.

    Attributes
    ----------
    scale : tuple of float
        One for all, or one for each element of the channel's axis.
    channels : tuple of int
        The layer's channel of each element of that axis; empty if it is the channel itself.
    axis : int
        The channel's axis, batch included: 1, or the last one in channels-last layouts.
    """

    layer: str
    tensor: str
    scale: tuple[float, ...]
    channels: tuple[int, ...] = ()
    axis: int = 1


@dataclass(frozen=True, eq=False)
class Reference:
    """An ONNX model, batch first, with its layers in order."""

    part: execute.Part
    sums: tuple[Sum, ...]
    integers: tuple[IntegerTensor, ...]

    @property
    def input(self) -> str:
        """Name of the input."""
        name: str = self.part.proto.graph.input[0].name
        return name

    @property
    def output(self) -> str:
        """Name of the output."""
        name: str = self.part.proto.graph.output[0].name
        return name

    @property
    def rounds(self) -> bool:
        """Whether ONNX Runtime on the file may round a sum."""
        return any(any(one.bound) for one in self.sums)

    @cached_property
    def _session(self) -> execute.Session:
        return execute.opened(self.part, threads=0)

    def run(self, frames: NDArray[np.float32]) -> Array:
        """Compute the model's outputs for frames ``(N, ...)``."""
        parts = [
            self._session.run([self.output], {self.input: frames[start : start + BATCH]})[0]
            for start in range(0, max(1, len(frames)), BATCH)
        ]
        return np.concatenate(parts)

    def tensors(
        self,
        frames: NDArray[np.float32],
        names: Sequence[str],
        nodes: Sequence[NodeProto] = (),
        constants: Mapping[str, Array] | None = None,
    ) -> dict[str, Array]:
        """Values of tensors inside the reference, or behind further nodes on its tensors."""
        return self.program(names, nodes, constants)(frames)

    def program(
        self,
        names: Sequence[str],
        nodes: Sequence[NodeProto] = (),
        constants: Mapping[str, Array] | None = None,
    ) -> Callable[[NDArray[np.float32]], dict[str, Array]]:
        """Make a function from frames to what `tensors` returns."""
        wanted = list(dict.fromkeys(names))
        added = execute.part_of(nodes, {}, (), constants or {}, self.part.opset)
        known = {item.name for item in self.part.proto.graph.initializer}
        proto = ModelProto()
        proto.CopyFrom(self.part.proto)
        proto.graph.node.extend(added.proto.graph.node)
        proto.graph.initializer.extend(
            item for item in added.proto.graph.initializer if item.name not in known
        )
        proto.graph.output.extend(
            ValueInfoProto(name=name) for name in wanted if name != self.output
        )
        large = {**added.large, **self.part.large}
        session = execute.opened(execute.Part(proto, large), threads=0)

        def call(frames: NDArray[np.float32]) -> dict[str, Array]:
            return dict(zip(wanted, session.run(wanted, {self.input: frames}), strict=True))

        return call

    def to_bytes(self) -> bytes:
        """The contents of ``reference.onnx``."""
        proto = self.part.whole()
        layers = {
            "sums": [[one.layer, one.output, one.bound] for one in self.sums],
            "integers": [
                [one.layer, one.tensor, one.scale, one.channels, one.axis] for one in self.integers
            ],
        }
        helper.set_model_props(proto, {KEY: json.dumps(layers)})
        content: bytes = proto.SerializeToString(deterministic=True)
        return content

    @classmethod
    def from_bytes(cls, content: bytes) -> Reference:
        """Read what `to_bytes` wrote."""
        proto = ModelProto.FromString(content)
        for name in border.external(proto):
            raise UserError(f"the data of {name!r} is in another file")
        layers = json.loads({item.key: item.value for item in proto.metadata_props}[KEY])
        return cls(
            execute.Part.of(proto),
            tuple(Sum(layer, output, tuple(bound)) for layer, output, bound in layers["sums"]),
            tuple(
                IntegerTensor(layer, tensor, tuple(scale), tuple(channels), *axis)
                for layer, tensor, scale, channels, *axis in layers["integers"]
            ),
        )


@dataclass
class ReferenceParts:
    """What the lowering has stated of the reference so far.

    Attributes
    ----------
    nodes : dict
        The nodes that take the place of a node of the model, by its name.
    after : dict
        Nodes that correct a tensor, by the tensor's name; their input is ``name/plain``.
    """

    nodes: dict[str, tuple[NodeProto, ...]] = field(default_factory=dict)
    after: dict[str, tuple[NodeProto, ...]] = field(default_factory=dict)
    constants: dict[str, Array] = field(default_factory=dict)
    bounds: dict[str, NDArray[np.float64]] = field(default_factory=dict)

    def copy(self) -> ReferenceParts:
        """The same parts, in dictionaries of their own."""
        return ReferenceParts({**self.nodes}, {**self.after}, {**self.constants}, {**self.bounds})

    def replace(
        self,
        node: NodeProto,
        parts: Nodes,
        bound: NDArray[np.float64],
    ) -> None:
        """Compute a node by others.

        Parameters
        ----------
        bound : float64 ``(C,)``
            Largest possible difference of the outputs, by channel.
        """
        self.nodes[node.name] = tuple(parts.nodes)
        self.constants |= parts.constants
        self.bounds[node.name] = bound

    def build(self, model: Model, integers: Sequence[IntegerTensor]) -> Reference:
        """Make the reference of a model, which has these tensors of integers."""
        nodes: list[NodeProto] = []
        for node in model.nodes:
            for new in self.nodes.get(node.name, (node,)):
                made = new.output[0]
                if made in self.after:
                    plain = NodeProto()
                    plain.CopyFrom(new)
                    plain.output[0] = f"{made}/plain"
                    nodes += [plain, *self.after[made]]
                else:
                    nodes.append(new)
        entry = {model.input: (TensorProto.FLOAT, 1 + len(model.shapes[model.input]))}
        every = {**model.constants, **self.constants}
        part = execute.part_of(nodes, entry, [model.output], every, model.opset)
        sums = tuple(
            Sum(node.name, node.output[0], tuple(self.bounds[node.name].tolist()))
            for node in model.nodes
            if node.name in self.bounds
        )
        return Reference(part, sums, tuple(integers))
