# SPDX-License-Identifier: BSD-3-Clause
"""Mutations of ONNX files: of their bytes, and of their structure."""

from __future__ import annotations

from typing import Any

import numpy as np
from onnx import AttributeProto, ModelProto, NodeProto, TensorProto, helper, numpy_helper

from tests.fuzz.content import Random, changed_bytes, one_of

DIMS = (-1, 0, 1, 2, 3, 7, 1 << 16, 1 << 24, 1 << 31, 1 << 40, (1 << 63) - 1)
INTEGERS = (-(1 << 63), -(1 << 31), -2, -1, 0, 1, 2, 3, 1 << 20, 1 << 31, (1 << 63) - 1)
FLOATS = (0.0, -0.0, -1.0, 1e-45, 1e-38, 1e38, -1e38, float("inf"), float("-inf"), float("nan"))
OPERATORS = (
    *("Abs", "Add", "AveragePool", "BatchNormalization", "BipolarQuant", "Cast", "Clip", "Concat"),
    *("Constant", "ConstantOfShape", "Conv", "ConvTranspose", "CumSum", "Div", "Dropout", "Einsum"),
    *("Exp", "Expand", "Flatten", "Gather", "Gemm", "GlobalAveragePool", "Greater", "Identity"),
    *("If", "LSTM", "LeakyRelu", "Loop", "MatMul", "Max", "MaxPool", "Mul", "MultiThreshold"),
    *("NonZero", "OneHot", "PRelu", "Pad", "Pow", "Quant", "QuantizeLinear", "RandomNormal"),
    *("Range", "Relu", "Reshape", "Resize", "Scan", "Shape", "Sigmoid", "Sign", "Slice"),
    *("Softmax", "Split", "Squeeze", "Sub", "Sum", "Tile", "TopK", "Transpose", "Trunc"),
    *("Unsqueeze", "Upsample", "Where", "Xor", "\n", ""),
)
DOMAINS = ("", "ai.onnx", "ai.onnx.ml", "qonnx.custom_op.general", "onnx.brevitas", "x", "\x00")


def mutated(content: bytes, random: Random) -> bytes:
    """A damaged model file."""
    if random.random() < 0.2:
        return changed_bytes(content, random)
    model = ModelProto.FromString(content)
    for _ in range(int(random.choice([1, 1, 1, 2, 3]))):
        one_of(random, MUTATIONS)(model, random)
    data = model.SerializeToString()
    return changed_bytes(data, random) if random.random() < 0.03 else data


def _tensor(model: ModelProto, random: Random) -> TensorProto:
    tensors = list(model.graph.initializer)
    tensors += [
        item.t for node in model.graph.node for item in node.attribute if item.HasField("t")
    ]
    return one_of(random, tensors) if tensors else model.graph.initializer.add()


def _node(model: ModelProto, random: Random) -> NodeProto:
    nodes = model.graph.node
    return one_of(random, nodes) if len(nodes) else nodes.add()


def _name(model: ModelProto, random: Random) -> str:
    names = [item.name for item in model.graph.initializer]
    names += [name for node in model.graph.node for name in (*node.input, *node.output)]
    return str(one_of(random, [*names, "", "x", "missing"]))


def _value(model: ModelProto, random: Random) -> None:
    tensor = _tensor(model, random)
    try:
        array = np.array(numpy_helper.to_array(tensor))
    except Exception:  # it was changed before
        return
    if not array.size or array.dtype.kind not in "fiu":
        return
    flat = array.reshape(-1)
    places = random.integers(flat.size, size=int(random.integers(1, 4)))
    if random.random() < 0.3:
        places = np.arange(flat.size)
    values = FLOATS if array.dtype.kind == "f" else INTEGERS
    with np.errstate(all="ignore"):
        flat[places] = np.array(one_of(random, values)).astype(array.dtype)
    tensor.CopyFrom(numpy_helper.from_array(flat.reshape(array.shape), tensor.name))


def _reshape(model: ModelProto, random: Random) -> None:
    tensor = _tensor(model, random)
    match int(random.integers(4)):
        case 0 if tensor.dims:
            tensor.dims[int(random.integers(len(tensor.dims)))] = one_of(random, DIMS)
        case 1:
            tensor.dims.append(one_of(random, DIMS))
        case 2 if tensor.dims:
            del tensor.dims[-1]
        case _:
            dims = list(random.permutation(list(tensor.dims)).astype(int)) if tensor.dims else []
            del tensor.dims[:]
            tensor.dims.extend(dims)


def _retype(model: ModelProto, random: Random) -> None:
    tensor = _tensor(model, random)
    if random.random() < 0.5:
        tensor.data_type = int(random.integers(0, 24))
        return
    try:
        array = numpy_helper.to_array(tensor)
        kind = one_of(random, (np.float64, np.float16, np.int8, np.int32, np.int64, np.uint8, bool))
        with np.errstate(all="ignore"):
            tensor.CopyFrom(numpy_helper.from_array(array.astype(kind), tensor.name))
    except Exception:  # it was changed before
        return


def _cut(model: ModelProto, random: Random) -> None:
    tensor = _tensor(model, random)
    tensor.raw_data = tensor.raw_data[: int(random.integers(len(tensor.raw_data) + 1))]


def _outside(model: ModelProto, random: Random) -> None:
    tensor = _tensor(model, random)
    tensor.data_location = TensorProto.EXTERNAL
    place = one_of(random, ("secret.bin", "../secret.bin", "/etc/passwd", "/dev/zero"))
    tensor.external_data.add(key="location", value=place)


def _drop_tensor(model: ModelProto, random: Random) -> None:
    if len(model.graph.initializer):
        del model.graph.initializer[int(random.integers(len(model.graph.initializer)))]


def _sparse(model: ModelProto, random: Random) -> None:
    sparse = model.graph.sparse_initializer.add()
    sparse.values.CopyFrom(_tensor(model, random))
    sparse.dims.extend([2, 3])
    if random.random() < 0.5:
        _drop_tensor(model, random)


def _drop_node(model: ModelProto, random: Random) -> None:
    if len(model.graph.node):
        del model.graph.node[int(random.integers(len(model.graph.node)))]


def _repeat_node(model: ModelProto, random: Random) -> None:
    copies = [_node(model, random) for _ in range(int(one_of(random, (1, 1, 1, 2))))]
    for node in copies:
        model.graph.node.add().CopyFrom(node)


def _swap_nodes(model: ModelProto, random: Random) -> None:
    nodes = [model.graph.node[int(i)] for i in random.permutation(len(model.graph.node))]
    keep = [NodeProto.FromString(node.SerializeToString()) for node in nodes]
    del model.graph.node[:]
    model.graph.node.extend(keep)


def _rewire(model: ModelProto, random: Random) -> None:
    node = _node(model, random)
    names = node.input if random.random() < 0.7 else node.output
    match int(random.integers(4)):
        case 0 | 1 if names:
            names[int(random.integers(len(names)))] = _name(model, random)
        case 2:
            names.append(_name(model, random))
        case _:
            del names[-1:]


def _insert(model: ModelProto, random: Random) -> None:
    """Put an operator with a constant behind a tensor."""
    node = _node(model, random)
    if not node.output:
        return
    place, made = f"fuzz{len(model.graph.node)}", node.output[0]
    node.output[0] = place
    shape = one_of(random, ((), (1,), (3,), (4, 1, 1), (1, 5)))
    constant = np.full(shape, one_of(random, (*FLOATS, 1.0, 0.3)), np.float32)
    model.graph.initializer.append(numpy_helper.from_array(constant, f"{place}/c"))
    inputs = [place, f"{place}/c"][: int(random.integers(1, 3))]
    kind = one_of(random, OPERATORS)
    new = helper.make_node(kind, inputs[:: one_of(random, (1, -1))], [made], place)
    index = list(model.graph.node).index(node)
    later = [NodeProto.FromString(n.SerializeToString()) for n in model.graph.node[index + 1 :]]
    del model.graph.node[index + 1 :]
    model.graph.node.extend([new, *later])


def _operator(model: ModelProto, random: Random) -> None:
    node = _node(model, random)
    if random.random() < 0.7:
        node.op_type = one_of(random, OPERATORS)
    if random.random() < 0.4:
        node.domain = one_of(random, DOMAINS)


def _attribute(model: ModelProto, random: Random) -> None:
    node = _node(model, random)
    if not node.attribute or random.random() < 0.2:
        name = one_of(
            random, ("axis", "pads", "kernel_shape", "alpha", "to", "signed", "group", "x")
        )
        node.attribute.append(helper.make_attribute(name, _content(random)))
        return
    item = one_of(random, node.attribute)
    match int(random.integers(6)):
        case 0:
            node.attribute.remove(item)
        case 1:
            item.type = int(random.integers(0, 15))
        case 2 if item.ints:
            item.ints[int(random.integers(len(item.ints)))] = one_of(random, INTEGERS)
        case 3 if item.ints:
            del item.ints[-1]
        case 4 if item.HasField("i"):
            item.i = one_of(random, INTEGERS)
        case _:
            item.CopyFrom(helper.make_attribute(item.name, _content(random)))


def _content(random: Random) -> Any:
    return one_of(
        random,
        (
            *(
                one_of(random, INTEGERS),
                one_of(random, FLOATS),
                "NOTSET",
                "\n",
                b"\xff",
                [1.5, 2.5],
            ),
            [one_of(random, INTEGERS) for _ in range(int(random.integers(1, 5)))],
        ),
    )


def _subgraph(model: ModelProto, random: Random) -> None:
    item = AttributeProto(name="then_branch", type=AttributeProto.GRAPH)
    if model.ByteSize() < 1 << 20:
        item.g.CopyFrom(model.graph)
    _node(model, random).attribute.append(item)


def _entry(model: ModelProto, random: Random) -> None:
    values = model.graph.input if random.random() < 0.7 else model.graph.output
    if not len(values) or random.random() < 0.1:
        values.add(name=_name(model, random))
        return
    info = one_of(random, values)
    kind, axes = info.type.tensor_type, info.type.tensor_type.shape.dim
    match int(random.integers(6)):
        case 0 | 1 | 2 if len(axes):
            one_of(random, axes).dim_value = one_of(random, DIMS)
        case 3 if len(axes):
            one_of(random, axes).dim_param = one_of(random, ("N", "", "\n"))
        case 4:
            kind.elem_type = int(random.integers(0, 24))
        case _:
            _shorter(axes, random)


def _shorter(axes: Any, random: Random) -> None:
    if len(axes) and random.random() < 0.5:
        del axes[-1]
    else:
        axes.add(dim_value=one_of(random, DIMS))


def _end(model: ModelProto, random: Random) -> None:
    values = one_of(random, (model.graph.input, model.graph.output))
    if random.random() < 0.3:
        del values[:]
    elif len(values):
        one_of(random, values).name = _name(model, random)


def _versions(model: ModelProto, random: Random) -> None:
    match int(random.integers(4)):
        case 0:
            model.ir_version = one_of(random, INTEGERS)
        case 1:
            del model.opset_import[:]
        case 2 if len(model.opset_import):
            one_of(random, model.opset_import).version = int(random.integers(-1, 30))
        case _:
            model.opset_import.add(domain=one_of(random, DOMAINS), version=one_of(random, INTEGERS))


def _annotation(model: ModelProto, random: Random) -> None:
    note = model.graph.quantization_annotation.add(tensor_name=_name(model, random))
    kinds = ("INT8", "UINT4", "BIPOLAR", "FLOAT32", "INT99", "x", "")
    note.quant_parameter_tensor_names.add(key="finn_datatype", value=one_of(random, kinds))


def _label(model: ModelProto, random: Random) -> None:
    node = _node(model, random)
    node.name = one_of(random, ("", "\n`include", "../../x", "a" * 5000, _name(model, random)))
    key = "pkg.torch.onnx.name_scopes"
    node.metadata_props.add(key=key, value=one_of(random, ("['']", "['a.b', 'c']", "'" * 99)))


def _many(model: ModelProto, random: Random) -> None:
    """A long chain."""
    if len(model.graph.node) > 50 or not len(model.graph.output):
        return
    last = model.graph.output[0].name
    for place in range(int(random.integers(20, 300))):
        kind = one_of(random, ("Relu", "Identity", "Neg"))
        model.graph.node.append(helper.make_node(kind, [last], [f"chain{place}"]))
        last = f"chain{place}"
    model.graph.output[0].name = last


MUTATIONS = (
    *(_value, _value, _reshape, _retype, _cut, _outside, _drop_tensor, _sparse, _drop_node),
    *(_repeat_node, _swap_nodes, _rewire, _rewire, _insert, _insert, _operator, _attribute),
    *(_attribute, _attribute, _subgraph, _entry, _entry, _end, _versions, _annotation, _label),
    _many,
)
