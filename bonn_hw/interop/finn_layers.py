# SPDX-License-Identifier: BSD-3-Clause
"""FINN's hardware layers in QONNX, by name; those that move or combine data are here.

Names are those of finn-plus 1.6 and of upstream FINN 0.9 and 0.10 without their backends
(`finn_folding.operator_of`).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from onnx import NodeProto, TensorProto

from bonn_hw.errors import UnsupportedModel
from bonn_hw.interop.finn_translation import Attributes, Translation, Write
from bonn_hw.interop.finn_units import mvau, threshold, vvau
from bonn_hw.interop.finn_windows import downsample, max_pool, pad, pool, slide


def _global_sums(here: Translation, node: NodeProto, attributes: Attributes) -> None:
    """The sums over all pixels."""
    source = here.names[node.input[0]]
    _, *extents = attributes["numInputVectors"]
    average = here.emit("GlobalAveragePool", [source], node.name)
    scaled = here.emit("Mul", [average, here.constant(float(np.prod(extents)))], node.name)
    here.names[node.output[0]] = here.emit("Round", [scaled], node.name, node.output[0])


def _label(here: Translation, node: NodeProto, attributes: Attributes) -> None:
    """The classes of the K largest scores, in floats as FINN has them; the first of equal ones."""
    vector = here.flat(here.names[node.input[0]], node.name)
    count = int(attributes.get("K", 1))
    if count == 1:
        index = here.emit("ArgMax", [vector], node.name, axis=-1, keepdims=1)
    else:
        best = f"{node.name}_values"
        index = here.emit("TopK", [vector, here.constant([count], np.int64)], node.name, best)
        index = f"{node.name}_indices"
        here.nodes[-1].output.append(index)
    here.ranks[index] = 2
    here.names[node.output[0]] = here.emit(
        "Cast", [index], node.name, node.output[0], to=TensorProto.FLOAT
    )


def _same(here: Translation, node: NodeProto, attributes: Attributes) -> None:
    """Nodes that only move data: every output equals the input."""
    source = node.input[0]
    for output in node.output:
        if source in here.constants:  # weights that FINN streams
            here.constants[output] = here.constants[source]
        elif source in here.windows:
            here.windows[output] = here.windows[source]
        else:
            here.names[output] = here.names[source]


def _shaped(here: Translation, node: NodeProto, attributes: Attributes) -> None:
    """Reshape and its kind: a flattening, or axes of one element more or less."""
    source = here.names[node.input[0]]
    shape = [int(one) for one in attributes.get("out_shape", [1])]
    if here.ranks[source] == 4 and len(shape) <= 2:
        source = here.flat(source, node.name)
    elif here.ranks[source] != len(shape):
        raise UnsupportedModel(
            f"{node.name}: {node.op_type} to the shape {shape} is not supported, a flattening is"
        )
    here.names[node.output[0]] = source


def _shuffle(here: Translation, node: NodeProto, attributes: Attributes) -> None:
    """A Transpose in hardware: only between the two layouts of images, which are one here."""
    order = tuple(attributes.get("perm", ()))
    if order not in ((0, 2, 3, 1), (0, 3, 1, 2)):
        raise UnsupportedModel(f"{node.name}: Transpose by {order} among FINN's hardware nodes")
    here.names[node.output[0]] = here.names[node.input[0]]


def _elementwise(kind: str) -> Write:
    def write(here: Translation, node: NodeProto, attributes: Attributes) -> None:
        types = (attributes.get(key) for key in ("lhs_dtype", "rhs_dtype", "inputDataType"))
        if "BINARY" in types:
            raise UnsupportedModel(f"{node.name}: arithmetic on bits of 0 and 1 is not supported")
        inputs = []
        rank = max(here.ranks[here.names[name]] for name in node.input if name in here.names)
        for name in node.input:
            if name in here.names:
                inputs.append(here.names[name])
                continue
            value = np.asarray(here.constants[name], np.float32)
            if rank == 4 and value.size > 1:
                value = value.reshape(1, -1, 1, 1)
            inputs.append(here.constant(value))
        here.names[node.output[0]] = here.emit(kind, inputs, node.name, node.output[0])

    return write


def _by_channel(here: Translation, node: NodeProto, attributes: Attributes) -> None:
    """A sum or product with a constant of each channel."""
    kind = {"add": "Add", "mul": "Mul"}.get(str(attributes.get("Func", "")).lower())
    if kind is None:
        raise UnsupportedModel(
            f"{node.name}: {node.op_type} of {attributes.get('Func')!r} is not supported; add and "
            "mul are"
        )
    _elementwise(kind)(here, node, attributes)


# FINN's own domains; the layout of hardware is channels last
HARDWARE: Mapping[str, Write] = {
    "MVAU": mvau,
    "VVAU": vvau,
    "Thresholding": threshold,
    "ConvolutionInputGenerator": slide,
    "DownSampler": downsample,
    "FMPadding": pad,
    "Pool": pool,
    "StreamingMaxPool": max_pool,
    "GlobalAccPool": _global_sums,
    "LabelSelect": _label,
    "Reshape": _shaped,
    "Squeeze": _shaped,
    "Unsqueeze": _shaped,
    "Shuffle": _shuffle,
    "StreamingDataWidthConverter": _same,
    "StreamingFIFO": _same,
    "DuplicateStreams": _same,
    "IODMA": _same,
    "TLastMarker": _same,
    "CheckSum": _same,
    "AddStreams": _elementwise("Add"),
    "ChannelwiseOp": _by_channel,
    "ElementwiseMul": _elementwise("Mul"),
    "ElementwiseSub": _elementwise("Sub"),
}
# They may stand before the first layer: the type of what they move is that layer's.
MOVERS = ("IODMA", "TLastMarker", "CheckSum", "StreamingFIFO", "StreamingDataWidthConverter")
SAME_LAYOUT = (
    "AddStreams",
    "ChannelwiseOp",
    "ElementwiseMul",
    "ElementwiseSub",
    "Thresholding",
    "MultiThreshold",
    *(name for name, write in HARDWARE.items() if write is _same),
)
