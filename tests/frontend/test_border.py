# SPDX-License-Identifier: BSD-3-Clause
"""Data outside a model file is refused wherever it is, and hostile graphs take little time."""

import time

import numpy as np
import pytest
from onnx import ModelProto, TensorProto, helper, numpy_helper

from bonn_hw import frontend
from bonn_hw.errors import UnsupportedModel, UserError
from bonn_hw.frontend import border, execute
from bonn_hw.frontend.attributes import Malformed
from tests.support.sketch import Sketch, agree


def small():
    return Sketch(6).quant(4).dense(6, 5, "fc1").sign().dense(5, 3, "last")


def outside(name="w"):
    tensor = TensorProto(name=name, data_type=1, dims=[6, 5], data_location=TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value="secret.bin")
    return tensor


def in_an_initializer(model):
    model.graph.initializer.append(outside())


def in_a_constant(model):
    model.graph.node.insert(0, helper.make_node("Constant", [], ["w"], value=outside()))


def in_a_list_of_tensors(model):
    model.graph.node.insert(0, helper.make_node("Constant", [], ["w"], value=[outside()]))


def in_a_subgraph(model):
    inner = helper.make_graph([], "g", [], [], [outside()])
    model.graph.node.insert(0, helper.make_node("If", ["c"], ["w"], then_branch=inner))


def in_a_constant_of_a_subgraph(model):
    constant = helper.make_node("Constant", [], ["w"], value=outside())
    inner = helper.make_graph([constant], "g", [], [])
    model.graph.node.insert(0, helper.make_node("If", ["c"], ["w"], then_branch=inner))


def in_a_sparse_attribute(model):
    sparse = helper.make_sparse_tensor(
        numpy_helper.from_array(np.ones(1, np.float32)),
        numpy_helper.from_array(np.zeros(1, np.int64)),
        [3],
    )
    sparse.values.CopyFrom(outside())
    node = helper.make_node("Constant", [], ["w"], sparse_value=sparse)
    model.graph.node.insert(0, node)


def in_a_function(model):
    constant = helper.make_node("Constant", [], ["w"], value=outside())
    model.functions.add(name="f").node.append(constant)


@pytest.mark.parametrize(
    "put",
    [
        *(in_an_initializer, in_a_constant, in_a_list_of_tensors, in_a_subgraph),
        *(in_a_constant_of_a_subgraph, in_a_sparse_attribute, in_a_function),
    ],
)
def test_data_in_another_file(put, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "secret.bin").write_bytes(np.ones(30, np.float32).tobytes())
    model = small().proto()
    put(model)
    file = tmp_path / "m.onnx"
    file.write_bytes(model.SerializeToString())
    with pytest.raises(UserError) as error:
        frontend.read(file)
    assert str(error.value) == (
        f"model {file} keeps 'w' in another file: allow its folder to be read with "
        "--external-data FOLDER, or save the model as one file"
    )


def test_no_session_reads_another_file():
    model = ModelProto.FromString(small().proto().SerializeToString())
    in_a_constant(model)
    with pytest.raises(Malformed, match="the data of 'w' is in another file"):
        execute.session(model)


def test_names_that_are_not_text(tmp_path):
    content = small().write(tmp_path).read_bytes()
    assert b"fc1" in content
    (tmp_path / "m.onnx").write_bytes(content.replace(b"fc1", b"f\xe8\xff"))
    with pytest.raises(UserError, match="a name in it is not UTF-8: export it again"):
        frontend.read(tmp_path / "m.onnx")


def test_sparse_weights(tmp_path):
    model = small().proto()
    model.graph.sparse_initializer.add().values.name = "sparse"
    (tmp_path / "m.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(UnsupportedModel, match="keeps 'sparse' as a sparse tensor, which is not s"):
        frontend.read(tmp_path / "m.onnx")


def test_too_many_nodes(tmp_path, monkeypatch):
    monkeypatch.setattr(border, "LARGEST_NODES", 3)
    with pytest.raises(UnsupportedModel, match="nodes; at most 3 are supported: use a smaller net"):
        frontend.read(small().write(tmp_path))


def test_a_long_chain_takes_time_in_proportion_to_its_length(tmp_path):
    sketch = Sketch(6).quant(4).dense(6, 5, "fc1")
    for _ in range(2000):
        sketch.add("Neg")
    start = time.process_time()
    lowered = frontend.lower(frontend.read(sketch.sign().dense(5, 3, "last").write(tmp_path)))
    assert time.process_time() - start < 10
    assert len(lowered.graph.nodes) >= 2


@pytest.mark.parametrize("bits", [1, 4])
def test_a_batch_norm_of_one_channel(bits, tmp_path):
    sketch = Sketch(6).quant(4).few_bit_dense(6, 1, "fc1").norm(1, 2)
    sketch = sketch.sign() if bits == 1 else sketch.add("Relu").quant(bits, signed=0)
    agree(sketch.few_bit_dense(1, 3, "last"), tmp_path)


def test_a_bug_of_ours_is_not_called_a_fault_of_the_file(tmp_path, monkeypatch):
    def buggy(nodes):
        raise KeyError("ours")

    monkeypatch.setattr("bonn_hw.frontend.load.name_nodes", buggy)
    with pytest.raises(KeyError, match="ours"):
        frontend.read(small().write(tmp_path))


@pytest.mark.parametrize("scale", [4e37, 1e-40])
def test_sums_that_float32_does_not_hold(scale, tmp_path):
    sketch = Sketch(6).quant(4).few_bit_dense(6, 5, "fc1", scale=np.float32(scale)).sign()
    with pytest.raises(UnsupportedModel, match="which float32 does not hold exactly"):
        frontend.lower(frontend.read(sketch.dense(5, 3, "last").write(tmp_path)))


@pytest.mark.parametrize("value", [np.inf, np.nan])
def test_a_bias_that_is_not_finite(value, tmp_path):
    sketch = Sketch(6).quant(4)
    bias = np.full(5, value, np.float32)
    sketch.add("Gemm", sketch.signs(6, 5), bias, name="fc1")
    with pytest.raises(UnsupportedModel, match="fc1: its bias holds NaN or infinity: train again"):
        frontend.lower(frontend.read(sketch.sign().dense(5, 3, "last").write(tmp_path)))


@pytest.mark.parametrize(
    ("zero", "scale", "rule"),
    [
        (1e38, 1.0, "are too large: use a zero point of 0"),
        (0.0, 1e38, "does not hold exactly"),
        (0.0, 1e-44, "does not hold exactly"),
    ],
)
def test_quantisers_that_float32_does_not_hold(zero, scale, rule, tmp_path):
    sketch = Sketch(6).quant(4, zero=zero, scale=scale).dense(6, 5, "fc1").sign()
    with pytest.raises(UnsupportedModel, match=rule):
        frontend.read(sketch.dense(5, 3, "last").write(tmp_path))


def test_a_model_that_its_reference_refuses(tmp_path):
    """Weights for more inputs than there are; onnx.checker does not see it."""
    sketch = Sketch(2, 6, 6).quant(4).few_bit_conv(5, 3, name="conv1").sign().flatten()
    with pytest.raises(UserError, match=r"the model cannot be run|is damaged or inconsistent"):
        frontend.lower(frontend.read(sketch.dense(80, 3, "last").write(tmp_path)))
