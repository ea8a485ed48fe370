# SPDX-License-Identifier: BSD-3-Clause
"""FINN's hardware graphs: one that FINN made, with FINN's own answers; and its operators singly."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from bonn_hw import frontend, pipeline, verification
from bonn_hw.boards import board
from bonn_hw.cli.main import main
from bonn_hw.errors import UnsupportedModel, UserError
from bonn_hw.frontend.numpy_host import head_of
from bonn_hw.interop.finn_attributes import foldings
from bonn_hw.pipeline import read_model
from tests.support import finn
from tests.support.sketch import Sketch

DATA = Path(__file__).parents[1] / "data" / "finn"
DOMAIN = "finn.custom_op.fpgadataflow"


@pytest.fixture(scope="module")
def known():
    return np.load(DATA / "small_cnn.npz")


def integers_answer(path, images):
    lowered = frontend.lower(read_model(path))
    return lowered.host.decode(lowered.graph.run(lowered.host.encode(images)))


def test_answers_are_those_of_finn(known):
    images, answers = known["images"], known["answers"]
    assert len(np.unique(answers, axis=0)) > 10
    got = integers_answer(DATA / "small_cnn.onnx", images)
    np.testing.assert_array_equal(got, answers.reshape(got.shape))
    np.testing.assert_array_equal(read_model(DATA / "small_cnn.onnx").run(images), got)


@pytest.mark.rtl
def test_the_rtl_answers_so_too(known, tmp_path):
    target = pipeline.Target(board("pynq-z2"), 100.0, 100_000)
    pipeline.compile_model(DATA / "small_cnn.onnx", target, tmp_path / "build")
    found = verification.simulate(pipeline.Build.load(tmp_path / "build"), known["images"])
    np.testing.assert_array_equal(found.y, known["answers"].reshape(found.y.shape))


def folded(folder):
    """The graph with other PE and SIMD, names as FINN gives them to implementations."""
    model = onnx.load(DATA / "small_cnn.onnx")
    chosen = iter([(2, 6), (4, 8), (8, 2), (1, 4)])
    for node in model.graph.node:
        if node.op_type == "MVAU":
            values = dict(zip(("PE", "SIMD"), next(chosen), strict=True))
            for one in node.attribute:
                if one.name in values:
                    one.i = values[one.name]
            node.op_type = "MVAU_hls"
            node.name = node.name.replace("MVAU", "MVAU_hls")
    onnx.save(model, folder / "folded.onnx")
    return folder / "folded.onnx"


def test_its_folding_is_kept_if_asked(tmp_path, known):
    out = tmp_path / "build"
    assert main(["compile", str(folded(tmp_path)), "--keep-folding", "--out", str(out)]) == 0
    build = pipeline.Build.load(out)
    stages = {stage.name: stage.folding for stage in build.design.stages}
    found = [(stages[f"mvu_{i}"].pe, stages[f"mvu_{i}"].simd) for i in range(4)]
    assert found == [(2, 6), (4, 8), (8, 2), (1, 4)]
    assert stages["sliding_window_1"].simd == 8  # of FINN's ConvolutionInputGenerator_1
    got = integers_answer(tmp_path / "folded.onnx", known["images"])
    np.testing.assert_array_equal(got, known["answers"].reshape(got.shape))


def test_a_model_without_folding_keeps_none(tmp_path, capsys):
    model = Sketch(4, 1, 1).quant(4).flatten().dense(4, 3).write(tmp_path)
    assert main(["compile", str(model), "--keep-folding", "--out", str(tmp_path / "b")]) == 2
    assert "--keep-folding: the model has no PE and SIMD" in capsys.readouterr().err


def test_ties_at_the_input_are_finns(known):
    """Its thresholds: what is equal to one has reached it; QONNX rounds ties to even."""
    lowered = frontend.lower(read_model(DATA / "small_cnn.onnx"))
    ties = (np.arange(-8, 8) + 0.5).astype(np.float32) / 128
    images = np.resize(ties, (1, *lowered.host.input_shape))
    encoded = lowered.host.encode(images)
    found = np.sort(np.unique(encoded))
    np.testing.assert_array_equal(found, np.arange(-7, 9))


def test_its_head_runs_on_a_board(known):
    lowered = frontend.lower(read_model(DATA / "small_cnn.onnx"))
    assert head_of(lowered.host, known["images"]) is not None


class Hardware:
    """A graph of FINN's nodes, channels last, on an input of 8-bit integers."""

    def __init__(self, *shape, seed=0):
        self.random = np.random.default_rng(seed)
        self.shape, self.last, self.nodes, self.made = shape, "x", [], []

    def constant(self, value):
        name = f"c{len(self.made)}"
        self.made.append(numpy_helper.from_array(np.asarray(value, np.float32), name))
        return name

    def node(self, kind, *others, domain=DOMAIN, outputs=1, **attributes):
        names = [one if isinstance(one, str) else self.constant(one) for one in others]
        made = [f"t{len(self.nodes)}_{place}" for place in range(outputs)]
        label = f"{kind}_{len(self.nodes)}"
        inputs = [self.last, *names]
        self.nodes.append(helper.make_node(kind, inputs, made, label, domain=domain, **attributes))
        self.last = made[0]
        return made

    def bits(self):
        """A threshold a channel, to bits."""
        limits = self.random.integers(-20, 20, (self.shape[-1], 1))
        facts = {"outputDataType": "BINARY", "inputDataType": "INT8", "ActVal": 0}
        self.node("Thresholding_rtl", limits, **facts)
        return self

    def window(self, kernel, channels):
        self.node(
            "ConvolutionInputGenerator_rtl",
            ConvKernelDim=[kernel] * 2,
            Stride=[1, 1],
            Dilation=[1, 1],
            IFMChannels=channels,
        )
        return self

    def matrix(self, mw, mh, vectors, last=False, kind="MVAU_hls"):
        weights = self.random.integers(0, 2, (mw, mh))
        facts = {"binaryXnorMode": 1, "weightDataType": "BINARY", "inputDataType": "BINARY"}
        facts |= {"MW": mw, "MH": mh, "numInputVectors": vectors, "PE": 1, "SIMD": 1}
        limits = [] if last else [self.random.integers(0, mw + 2, (mh, 1))]
        out = "UINT32" if last else "BINARY"
        self.node(kind, weights, *limits, noActivation=int(last), outputDataType=out, **facts)
        self.weights, self.limits = weights, limits
        return self

    def write(self, folder):
        entry = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, *self.shape])
        exit_ = helper.make_tensor_value_info(self.last, TensorProto.FLOAT, None)
        graph = helper.make_graph(self.nodes, "finn", [entry], [exit_], self.made)
        opsets = [helper.make_opsetid("", 13), helper.make_opsetid(DOMAIN, 1)]
        onnx.save(helper.make_model(graph, opset_imports=opsets), folder / "finn.onnx")
        return folder / "finn.onnx"


def vectors(*shape, count=50):
    return np.random.default_rng(1).integers(-25, 25, (count, *shape)).astype(np.float32)


def test_a_dense_layer_by_hand(tmp_path):
    """Popcounts of bits and weights alike, as FINN counts them."""
    made = Hardware(12).bits()
    first = numpy_helper.to_array(made.made[0])
    made.matrix(12, 5, [1])
    inner, limits = made.weights, made.limits[0]
    made.node("StreamingDataWidthConverter_rtl", shape=[1, 5])
    made.node("StreamingFIFO_rtl", depth=8, folded_shape=[1, 5, 1])
    made.matrix(5, 3, [1], last=True, kind="MatrixVectorActivation")
    images = vectors(12)
    bits = images >= first[:, 0]
    popcounts = (bits[:, :, None] == inner[None]).sum(axis=1)
    bits = popcounts >= limits[:, 0]
    expected = (bits[:, :, None] == made.weights[None]).sum(axis=1)
    got = integers_answer(made.write(tmp_path), images)
    np.testing.assert_array_equal(got, expected)


def test_a_border_of_bits_is_minus_one(tmp_path):
    """FINN's FMPadding writes zeros, and those are -1: the graph says so, and so it is built."""
    made = Hardware(4, 4, 2).bits()
    limits = numpy_helper.to_array(made.made[0])[:, 0]
    made.node("FMPadding_rtl", Padding=[1, 0, 2, 1], inputDataType="BINARY", NumChannels=2)
    made.window(3, 2).matrix(18, 3, [1, 5, 3], last=True)
    frames = vectors(2, 4, 4)
    bits = (frames.transpose(0, 2, 3, 1) >= limits).astype(int)
    bits = np.pad(bits, ((0, 0), (1, 2), (0, 1), (0, 0)))
    rows = np.lib.stride_tricks.sliding_window_view(bits, (3, 3), axis=(1, 2))
    taps = rows.transpose(0, 1, 2, 4, 5, 3).reshape(len(bits), 5, 3, 18)
    expected = (taps[..., None] == made.weights).sum(axis=3).transpose(0, 3, 1, 2)
    made.nodes.insert(0, helper.make_node("Transpose", ["y"], ["x"], perm=[0, 2, 3, 1]))
    path = made.write(tmp_path)
    model = onnx.load(path)
    entry = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 2, 4, 4])
    model.graph.input.pop()
    model.graph.input.append(entry)
    onnx.save(model, path)
    np.testing.assert_array_equal(integers_answer(path, frames), expected)


def test_images_of_integers_with_channels_last(tmp_path):
    """As FINN's partitions begin: no threshold first, weights of one bit on integers."""
    made = Hardware(4, 4, 3).window(3, 3)
    weights = made.random.integers(0, 2, (27, 5)) * 2 - 1
    facts = {"inputDataType": "UINT8", "weightDataType": "BIPOLAR", "outputDataType": "INT16"}
    made.node("MVAU_rtl", weights, noActivation=1, numInputVectors=[1, 2, 2], **facts)
    made.nodes[0].attribute.append(helper.make_attribute("inputDataType", "UINT8"))
    frames = np.random.default_rng(2).integers(0, 256, (20, 4, 4, 3)).astype(np.float32)
    rows = np.lib.stride_tricks.sliding_window_view(frames, (3, 3), axis=(1, 2))
    taps = rows.transpose(0, 1, 2, 4, 5, 3).reshape(20, 2, 2, 27)
    got = integers_answer(made.write(tmp_path), frames)
    np.testing.assert_array_equal(got, (taps @ weights).transpose(0, 3, 1, 2))


@pytest.mark.parametrize("kind", ["VVAU_hls", "VectorVectorActivation", "Vector_Vector_Activate"])
def test_a_depthwise_layer_by_hand(tmp_path, kind):
    """Each channel has a kernel of its own; then the number of thresholds reached, and ActVal."""
    made = Hardware(5, 4, 3)
    made.node("FMPadding_rtl", Padding=[1, 1, 1, 1], inputDataType="INT4", NumChannels=3)
    made.window(3, 3)
    weights = made.random.integers(-4, 4, (3, 1, 3, 3))
    limits = np.sort(made.random.integers(-60, 60, (3, 7)), axis=1)
    facts = {"inputDataType": "INT4", "weightDataType": "INT4", "outputDataType": "INT4"}
    facts |= {"Channels": 3, "Kernel": [3, 3], "Dim": [5, 4], "PE": 1, "ActVal": -3}
    made.node(kind, weights, limits, noActivation=0, **facts)
    frames = np.random.default_rng(2).integers(-8, 8, (20, 5, 4, 3)).astype(np.float32)
    padded = np.pad(frames, ((0, 0), (1, 1), (1, 1), (0, 0)))
    taps = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(1, 2))
    sums = (taps * weights[:, 0]).sum(axis=(4, 5))
    expected = (sums[..., None] >= limits).sum(axis=-1) - 3
    path = made.write(tmp_path)
    assert "depthwise_0" in [node.name for node in frontend.lower(read_model(path)).graph.nodes]
    np.testing.assert_array_equal(integers_answer(path, frames), expected.transpose(0, 3, 1, 2))


@pytest.mark.parametrize("lines", [0, 1])
def test_pixels_that_are_left_out(tmp_path, lines):
    """A DownSampler takes each second pixel, of lines (is1D) each second line."""
    made = Hardware(5, 4, 3)
    made.node("DownSampler_hls", Stride=2, is1D=lines, inputDataType="INT4", NumChannels=3)
    weights = made.random.integers(-4, 4, (3, 5))
    facts = {"inputDataType": "INT4", "weightDataType": "INT4", "outputDataType": "INT16"}
    made.node("MVAU_rtl", weights, noActivation=1, numInputVectors=[1, 3, 2 + 2 * lines], **facts)
    frames = np.random.default_rng(2).integers(-8, 8, (20, 5, 4, 3)).astype(np.float32)
    kept = frames[:, ::2, :: 2 - lines]
    got = integers_answer(made.write(tmp_path), frames)
    np.testing.assert_array_equal(got, (kept @ weights).transpose(0, 3, 1, 2))


def test_images_that_are_flattened_first(tmp_path):
    """As TFC's begin: the image is ONNX's, channels second, until FINN's first node."""
    made = Hardware(2, 3, 2)
    made.made.append(numpy_helper.from_array(np.array([1, 12], np.int64), "flat"))
    made.nodes.append(helper.make_node("Reshape", ["x", "flat"], ["t0_0"], "Reshape_0"))
    made.last, made.shape = "t0_0", (12,)
    made.bits()
    limits = numpy_helper.to_array(made.made[-1])
    made.shape = (2, 3, 2)
    made.matrix(12, 4, [1], last=True)
    frames = vectors(2, 3, 2)
    bits = frames.reshape(-1, 12) >= limits[:, 0]
    expected = (bits[:, :, None] == made.weights).sum(axis=1)
    np.testing.assert_array_equal(integers_answer(made.write(tmp_path), frames), expected)


@pytest.mark.parametrize("older", [False, True])
def test_pools(tmp_path, older):
    """A sliding window and a Pool, as finn-plus has it, or the StreamingMaxPool of FINN 0.10."""
    made = Hardware(4, 4, 3).bits()
    if older:
        made.node("StreamingMaxPool_hls", PoolDim=[2, 2], ImgDim=[4, 4], NumChannels=3)
    else:
        facts = {"ConvKernelDim": [2, 2], "Stride": [2, 2], "Dilation": [1, 1]}
        made.node("ConvolutionInputGenerator", depthwise=1, **facts)
        made.node("Pool_hls", Function="MaxPool", KernelSize=[2, 2], Channels=3)
    made.matrix(12, 2, [1], last=True)
    lowered = frontend.lower(read_model(made.write(tmp_path)))
    assert [node.name for node in lowered.graph.nodes] == ["max_pool_0", "mvu_0"]


@pytest.mark.parametrize(("kind", "low", "high"), [("UINT4", 0, 15), ("INT4", -8, 7)])
def test_averages_lose_their_lowest_bits(tmp_path, kind, low, high):
    """The largest sum that FINN expects, 15 * 3 * 2, has three bits more than the output."""
    made = Hardware(5, 4, 3)
    facts = {"ConvKernelDim": [3, 2], "Stride": [1, 2], "Dilation": [1, 1], "inputDataType": kind}
    made.node("ConvolutionInputGenerator", depthwise=1, **facts)
    made.node("Pool_hls", Function="QuantAvgPool", InputDataType=kind, OutputDataType=kind)
    weights = made.random.integers(-4, 4, (3, 5))
    facts = {"inputDataType": kind, "weightDataType": "INT4", "outputDataType": "INT16"}
    made.node("MVAU_rtl", weights, noActivation=1, numInputVectors=[1, 3, 2], **facts)
    frames = np.random.default_rng(2).integers(low, high + 1, (20, 5, 4, 3)).astype(np.float32)
    frames[0] = high
    rows = np.lib.stride_tricks.sliding_window_view(frames, (3, 2), axis=(1, 2))[:, :, ::2]
    expected = np.floor(rows.sum(axis=(4, 5)) / 8) @ weights
    got = integers_answer(made.write(tmp_path), frames)
    np.testing.assert_array_equal(got, expected.transpose(0, 3, 1, 2))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda h: h.node("Lookup_hls"),
            "Lookup_hls_1: FINN's operator Lookup_hls is not supported",
        ),
        (
            lambda h: h.matrix(12, 4, [1]).node("Pool", Function="QuantAvgPool"),
            "Pool_2: Pool of QuantAvgPool is not supported",
        ),
        (
            lambda h: h.matrix(12, 4, [1]).node("VVAU_hls", np.ones((4, 9))),
            r"VVAU_hls_2: its weights have the shape \(4, 9\), not one of 4 axes",
        ),
        (
            lambda h: h.node(
                "MVAU",
                np.full((12, 4), 0.5),
                inputDataType="BINARY",
                weightDataType="FLOAT32",
                outputDataType="FLOAT32",
                noActivation=1,
            ),
            "MVAU_1: its weights are no integers: compile the QONNX model",
        ),
        (
            lambda h: h.node("AddStreams", "t0_0", inputDataType="BINARY"),
            "AddStreams_1: arithmetic on bits",
        ),
    ],
)
def test_what_has_no_counterpart_is_refused(tmp_path, change, message):
    made = Hardware(12).bits()
    change(made)
    with pytest.raises(UnsupportedModel, match=message):
        read_model(made.write(tmp_path))


def test_only_sums_of_two_streams_are_layers_with_a_folding():
    """What adds a constant has no counterpart."""
    tensors = {
        name: helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 4]) for name in "abd"
    }
    nodes = [
        helper.make_node("AddStreams_hls", ["a", other], [out], out, domain=DOMAIN, PE=pe)
        for other, out, pe in (("b", "c", 2), ("k", "d", 4))
    ]
    constant = numpy_helper.from_array(np.ones((1, 4), np.float32), "k")
    graph = helper.make_graph(nodes, "g", [tensors["a"], tensors["b"]], [tensors["d"]], [constant])
    assert foldings(helper.make_model(graph)) == {"AddStreams_0": {"PE": 2}}


def few_bit_mlp(made, queue, matrix, select):
    """Weights of INT4 and INT2, three thresholds, memory nodes, queues and a label."""
    random = made.random
    made.node("IODMA_hls", dataType="UINT8", direction="in", numInputVectors=[1], NumChannels=12)
    made.node(queue, dataType="UINT8", depth=2, folded_shape=[1, 1, 12])
    first, second = random.integers(-8, 8, (12, 6)), random.integers(-2, 2, (6, 4))
    limits = np.sort(random.integers(-900, 900, (6, 3)), axis=1)
    kinds = {"inputDataType": "UINT8", "weightDataType": "INT4", "outputDataType": "INT2"}
    made.node(matrix, first, limits, ActVal=-2, **kinds)
    kinds = {"inputDataType": "INT2", "weightDataType": "INT2", "outputDataType": "INT32"}
    made.node("StreamingDataWidthConverter_Batch", shape=[1, 6], dataType="INT2")
    made.node(matrix, second, noActivation=1, MW=6, MH=4, **kinds)
    if select:
        made.node(select, Labels=4, K=1, inputDataType="INT32")
    made.node("TLastMarker_hls", NumIters=1)

    def expected(frames):
        steps = ((frames @ first)[..., None] >= limits).sum(axis=-1) - 2
        sums = steps @ second
        return sums.argmax(axis=1)[:, None] if select else sums

    return expected


@pytest.mark.parametrize(
    ("queue", "matrix", "select"),
    [
        ("StreamingFIFO", "StreamingFCLayer_Batch", ""),  # FINN 0.4
        ("StreamingFIFO", "MatrixVectorActivation", "LabelSelect_Batch"),  # 0.9
        ("StreamingFIFO_rtl", "MVAU_hls", "LabelSelect_hls"),  # 0.10 and later
    ],
)
def test_several_bits_and_what_moves_them(tmp_path, queue, matrix, select):
    made = Hardware(12)
    expected = few_bit_mlp(made, queue, matrix, select)
    frames = np.random.default_rng(5).integers(0, 256, (40, 12)).astype(np.float32)
    got = integers_answer(made.write(tmp_path), frames)
    assert len(np.unique(got)) > 1
    np.testing.assert_array_equal(got, expected(frames))


def test_sums_over_pixels_and_a_flattening(tmp_path):
    """GlobalAccPool, Pool of AccPool, and Reshape as hardware."""
    made = Hardware(4, 4, 3)
    facts = {"ConvKernelDim": [2, 2], "Stride": [2, 2], "Dilation": [1, 1]}
    made.node("ConvolutionInputGenerator_rtl", depthwise=1, inputDataType="UINT4", **facts)
    kinds = {"InputDataType": "UINT4", "OutputDataType": "UINT6"}
    made.node("Pool_hls", Function="AccPool", KernelSize=[2, 2], Channels=3, **kinds)
    limits = np.sort(made.random.integers(0, 60, (3, 3)), axis=1)
    kinds = {"inputDataType": "UINT6", "outputDataType": "UINT2", "ActVal": 0}
    made.node("Thresholding_Batch", limits, **kinds)
    fork = made.node("DuplicateStreams_Batch", outputs=2, inputDataType="UINT2")
    made.node("GlobalAccPool_Batch", numInputVectors=[1, 2, 2], inputDataType="UINT2")
    more = np.sort(made.random.integers(0, 12, (3, 3)), axis=1)
    made.node("Thresholding_rtl", more, **kinds)
    assert fork[1] not in made.last
    made.node("Reshape_rtl", inp_shape=[1, 1, 1, 3], out_shape=[1, 3])
    weights = made.random.integers(-2, 2, (3, 4))
    kinds = {"inputDataType": "UINT2", "weightDataType": "INT2", "outputDataType": "INT8"}
    made.node("MVAU_rtl", weights, noActivation=1, numInputVectors=[1], **kinds)
    frames = np.random.default_rng(5).integers(0, 16, (40, 4, 4, 3)).astype(np.float32)
    sums = frames.reshape(-1, 2, 2, 2, 2, 3).sum(axis=(2, 4))
    steps = (sums[..., None] >= limits).sum(axis=-1)
    steps = (steps.sum(axis=(1, 2))[..., None] >= more).sum(axis=-1)
    np.testing.assert_array_equal(integers_answer(made.write(tmp_path), frames), steps @ weights)


def parent(folder, named):
    """A graph whose node stands for the file of another graph."""
    entry = helper.make_tensor_value_info("in", TensorProto.FLOAT, [1, 12])
    exit_ = helper.make_tensor_value_info("out", TensorProto.FLOAT, None)
    node = helper.make_node("StreamingDataflowPartition", ["in"], ["out"], "part", domain=DOMAIN)
    node.attribute.append(helper.make_attribute("model", named))
    graph = helper.make_graph([node], "parent", [entry], [exit_])
    opsets = [helper.make_opsetid("", 13), helper.make_opsetid(DOMAIN, 1)]
    onnx.save(helper.make_model(graph, opset_imports=opsets), folder / "parent.onnx")
    return folder / "parent.onnx"


@pytest.mark.parametrize(
    "named", ["/tmp/finn_dev/a/child/finn.onnx", "C:\\build\\child\\finn.onnx"]
)
def test_partitions_beside_their_parent(tmp_path, named):
    """Of a path on another machine, as much of its end counts as exists here."""
    made = Hardware(12).bits().matrix(12, 5, [1], last=True)
    (tmp_path / "child").mkdir()
    child = made.write(tmp_path / "child")
    frames = vectors(12)
    got = integers_answer(parent(tmp_path, named), frames)
    np.testing.assert_array_equal(got, integers_answer(child, frames))


def test_partitions_elsewhere_are_not_read(tmp_path):
    inside, outside = tmp_path / "inside", tmp_path / "outside"
    inside.mkdir()
    outside.mkdir()
    child = Hardware(12).bits().matrix(12, 5, [1], last=True).write(outside)
    (inside / "linked.onnx").symlink_to(child)
    for named in (str(child), "../outside/finn.onnx", "linked.onnx"):
        told = rf"part: its layers are in {Path(named).name}, which is not in .*inside or below"
        with pytest.raises(UserError, match=told):
            read_model(parent(inside, named))
    child.rename(inside / "finn.onnx")
    read_model(parent(inside, str(child)))  # the remedy
    (inside / "finn.onnx").write_bytes(b"\x0fno model")
    with pytest.raises(UserError, match=r"finn.onnx is not an ONNX file, or a truncated one"):
        read_model(parent(inside, str(child)))
    with pytest.raises(UserError, match="nested more than 4 deep"):
        read_model(parent(inside, "parent.onnx"))


@pytest.mark.finn
def test_every_graph_of_finns_builder(tmp_path):
    """From FINN-ONNX to hardware with queues and memory nodes, and their partitions."""
    model = finn.few_bits((0.5, 1.0, 0.7, 2.0)).write(tmp_path)
    frames = np.random.default_rng(0).uniform(-1, 1, (5, 2, 6, 6)).astype(np.float32)
    np.save(tmp_path / "frames.npy", frames)
    out = tmp_path / "graphs"
    out.mkdir()
    finn.run("steps.py", model, tmp_path / "frames.npy", out)
    answers = np.load(out / "answers.npy").reshape(5, -1)
    np.testing.assert_array_equal(answers, read_model(model).run(frames))
    graphs = sorted([*out.glob("*.onnx"), *(out / "partitions").glob("*.onnx")])
    assert len(graphs) == 4 + 4 + 6 + 1
    for path in graphs:
        # What FINN's host does before the first layer is not in a partition.
        whole = path.parent == out and int(path.name[0]) <= 5
        taken = frames if whole else np.ascontiguousarray(frames.transpose(0, 2, 3, 1))
        got = integers_answer(path, taken).reshape(5, -1)
        expected = answers.argmax(axis=1)[:, None] if "labels" in path.name else answers
        np.testing.assert_array_equal(got, expected, path.name)
