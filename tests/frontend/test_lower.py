# SPDX-License-Identifier: BSD-3-Clause
"""Lowering is exact or refuses: against qonnx's own execution, with ==."""

from types import SimpleNamespace

import numpy as np
import pytest

from bonn_hw import frontend
from bonn_hw.errors import UnsupportedModel, UserError
from bonn_hw.frontend.notes import ROUNDED, Note
from bonn_hw.frontend.operators import supported
from tests.support.models import Builder, by_qonnx
from tests.support.tfc import write_tfc


def stems(lowered):
    return [node.kernel.stem for node in lowered.graph.nodes]


def lower_and_compare(builder, tmp_path, images=None):
    """Lower a model; the integer graph, our run of the model and qonnx's must be equal."""
    path = builder.path(tmp_path)
    images = builder.images() if images is None else images
    model = frontend.read(path)
    lowered = frontend.lower(model)
    answer = lowered.host.decode(lowered.graph.run(lowered.host.encode(images)))
    np.testing.assert_array_equal(answer, model.run(images))
    np.testing.assert_array_equal(answer, by_qonnx(path, images))
    return lowered


def two_layers(middle, tmp_path, *, channels=6, **options):
    """A dense layer, some operators, a sign, a dense layer."""
    builder = Builder((5,), **options).dense(5, channels, name="first")
    middle(builder)
    return builder.sign(name="sign").dense(channels, 3, name="last")


def test_a_file_of_an_old_exporter_matches_its_own_execution(tmp_path):
    path = write_tfc(tmp_path)
    model = frontend.read(path)
    lowered = frontend.lower(model)
    images = np.random.default_rng(0).random((40, 1, 28, 28), np.float32)
    answer = lowered.host.decode(lowered.graph.run(lowered.host.encode(images)))
    np.testing.assert_array_equal(answer, model.run(images))
    np.testing.assert_array_equal(answer, by_qonnx(path, images))
    assert stems(lowered) == ["mvu"] * 4


@pytest.mark.parametrize("pads", [[1, 1, 1, 1], [2, 0, 1, 3], [0, 2, 0, 0], [3, 3, 3, 3]])
@pytest.mark.parametrize("strides", [[1, 1], [2, 3]])
def test_true_zero_of_a_convolution(pads, strides, tmp_path):
    builder = Builder((3, 7, 6), bipolar=True)
    builder.conv(3, 5, (3, 4), pads=pads, strides=strides).norm(5).sign().conv(5, 2, pads=[1] * 4)
    lowered = lower_and_compare(builder, tmp_path)
    assert stems(lowered).count("pad") == 2
    assert max(n.kernel.classes for n in lowered.graph.nodes if n.kernel.stem == "mvu") > 1


@pytest.mark.parametrize("value", [1.0, -1.0, 0.0])
def test_explicit_pads_of_bits(value, tmp_path):
    builder = Builder((2, 5, 4), bipolar=True)
    pads = np.array([0, 0, 1, 2, 0, 0, 0, 1])
    builder.add("Pad", constants={"pads": pads, "value": np.float32(value)}, mode="constant")
    lowered = lower_and_compare(builder.conv(2, 4).norm(4).sign().conv(4, 2, 1), tmp_path)
    assert "pad" in stems(lowered)


def test_a_pad_before_the_sign_means_what_the_sign_makes_of_it(tmp_path):
    """Zero is padded, and sign(0) is +1."""
    builder = Builder((2, 5, 5)).conv(2, 4, 1).norm(4, beta=[0] * 4, name="norm")
    pads = np.array([0, 0, 1, 1, 0, 0, 1, 1])
    builder.add("Pad", constants={"pads": pads, "value": np.float32(0)}, mode="constant")
    lowered = lower_and_compare(builder.sign().conv(4, 3), tmp_path)
    (pad,) = [node.kernel for node in lowered.graph.nodes if node.kernel.stem == "pad"]
    assert pad.value == 1


def test_integers_pad_with_zero(tmp_path):
    builder = Builder((3, 6, 6)).conv(3, 4, pads=[1] * 4, strides=[2, 2]).norm(4).sign()
    lower_and_compare(builder.conv(4, 3, 3), tmp_path)


@pytest.mark.parametrize("auto", ["SAME_UPPER", "SAME_LOWER", "VALID"])
def test_auto_pad(auto, tmp_path):
    builder = Builder((2, 6, 7), bipolar=True).conv(2, 3, (4, 3), auto_pad=auto, strides=[2, 2])
    lower_and_compare(builder.norm(3).sign().conv(3, 2, 2), tmp_path)


@pytest.mark.parametrize("kernel", [1, 2, 5, 7, (7, 1), (1, 4)])
def test_kernels_up_to_seven(kernel, tmp_path):
    builder = Builder((2, 8, 9), bipolar=True).conv(2, 5, kernel).norm(5).sign()
    lower_and_compare(builder.conv(5, 3, 1), tmp_path)


def test_gamma_zero_and_negative_and_constant_channels(tmp_path):
    gamma, beta = [0, 0, -1, 1, -0.5, 2], [-1, 1, 0, 0, 100, -100]
    builder = two_layers(lambda b: b.norm(6, gamma=gamma, beta=beta), tmp_path)
    lowered = lower_and_compare(builder, tmp_path)
    kernel = lowered.graph.nodes[0].kernel
    ups = (kernel.weights > 0).sum(axis=1)
    highest, lowest = 7 * ups + 8 * (5 - ups), -8 * ups - 7 * (5 - ups)
    levels = kernel.thresholds[0]
    assert levels[0] > highest[0] and levels[1] <= lowest[1]  # never, always


def test_a_tie_is_plus_one(tmp_path):
    """All sums of four ±1 that are zero hit the threshold exactly."""
    builder = Builder((4,), bipolar=True).dense(4, 6, name="first").sign().dense(6, 3)
    lower_and_compare(builder, tmp_path, builder.images(40))


ELEMENTWISE = {
    "mul by negative": lambda b: b.add("Mul", constants={"k": -0.3}),
    "per channel": lambda b: b.add("Add", constants={"k": np.linspace(-2, 2, 6)}),
    "div and sub": lambda b: b.add("Div", constants={"k": 0.7}).add("Sub", constants={"k": 0.1}),
    "prelu": lambda b: b.add("PRelu", constants={"k": np.full(6, 0.25)}).add(
        "Sub", constants={"k": 0.2}
    ),
    "hardtanh": lambda b: b.add("Clip", constants={"lo": np.float32(-1), "hi": np.float32(1)}),
    "relu and threshold": lambda b: b.add("Relu").add("Sub", constants={"k": 0.5}),
    "tanh": lambda b: b.add("Tanh").add("Add", constants={"k": 0.9}),
    "norm twice": lambda b: b.norm(6).norm(6),
    "identity": lambda b: b.add("Identity"),
    "neg": lambda b: b.add("Neg"),
    "unsqueeze": lambda b: (
        b.add("Unsqueeze", constants={"axes": np.array([2])})
        .add("Mul", constants={"k": 2.0})
        .add("Squeeze", constants={"axes": np.array([2])})
    ),
}


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_operators_between_layers(name, tmp_path):
    lower_and_compare(two_layers(ELEMENTWISE[name], tmp_path), tmp_path)


def test_quantisers_of_several_bits_in_the_middle_are_just_operators(tmp_path):
    def quant(b):
        b.norm(6).add(
            "Quant",
            domain="qonnx.custom_op.general",
            signed=1,
            narrow=1,
            rounding_mode="ROUND",
            constants={"scale": 0.5, "zero": 0.0, "bits": 3.0},
        )

    lower_and_compare(two_layers(quant, tmp_path), tmp_path)


@pytest.mark.parametrize("scale", [0.5, 2.0, 0.25])
def test_scales_of_weights_and_activations(scale, tmp_path):
    builder = Builder((4, 5, 5), bipolar=True).conv(4, 6, scale=scale).norm(6).sign(scale)
    builder.add("Mul", constants={"k": 4.0}).conv(6, 3, 2, scale=scale)
    lower_and_compare(builder, tmp_path)


def test_scales_by_channel_of_the_weights(tmp_path):
    builder = Builder((5,), bipolar=True)
    builder.add("MatMul", constants={"w": builder.weights(5, 4) * [0.5, 1, 2, 4]}).norm(4).sign()
    lower_and_compare(builder.dense(4, 3), tmp_path)


def test_bias_of_convolution_and_gemm(tmp_path):
    builder = Builder((3, 5, 5)).conv(3, 4, bias=[0.3, -0.7, 1e-3, 2]).sign()
    builder.conv(4, 3, 3, bias=[0.1, 0.2, 0.3]).sign().add("Flatten", axis=1)
    weights, bias = builder.weights(2, 3), np.array([0.25, -1.5])
    builder.add("Gemm", constants={"w": weights, "b": bias}, transB=1, alpha=2.0, beta=0.5)
    lower_and_compare(builder, tmp_path)


@pytest.mark.parametrize(
    ("kernel", "strides", "pads"),
    [([2, 2], [2, 2], [0] * 4), ([3, 2], [2, 1], [0] * 4), ([3, 3], [2, 2], [1] * 4)],
)
@pytest.mark.parametrize("before", [True, False])
def test_pools_on_bits_and_on_sums(kernel, strides, pads, before, tmp_path):
    builder = Builder((2, 9, 8)).conv(2, 5)
    pool = {"kernel_shape": kernel, "strides": strides, "pads": pads}
    if before:
        builder.add("MaxPool", **pool).norm(5).sign()
    else:
        builder.norm(5).sign().add("MaxPool", **pool)
    lowered = lower_and_compare(builder.conv(5, 2, 2), tmp_path)
    assert ("threshold" in stems(lowered)) == before


def test_a_pool_after_a_falling_batch_norm_turns_weights_round(tmp_path):
    builder = Builder((2, 8, 8)).conv(2, 5).norm(5, gamma=[-1, 1, -2, 0.5, 0])
    builder.add("MaxPool", kernel_shape=[2, 2], strides=[2, 2]).sign()
    lower_and_compare(builder.conv(5, 2, 2), tmp_path)


def test_ceil_mode(tmp_path):
    builder = Builder((2, 7, 6), bipolar=True)
    builder.add("MaxPool", kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1).conv(2, 3, 2)
    lower_and_compare(builder, tmp_path)


def test_a_pool_of_input_integers(tmp_path):
    builder = Builder((2, 6, 6)).add("MaxPool", kernel_shape=[2, 2], strides=[2, 2])
    lower_and_compare(builder.conv(2, 4).norm(4).sign().conv(4, 2, 1), tmp_path)


@pytest.mark.parametrize("flat", ["Flatten", "Reshape", "Transpose"])
def test_flattening_permutes_weights(flat, tmp_path):
    builder = Builder((3, 4, 5)).conv(3, 6).norm(6).sign()
    if flat == "Transpose":
        builder.add("Transpose", perm=[0, 2, 3, 1])
    if flat == "Flatten":
        builder.add("Flatten", axis=1)
    else:
        builder.add("Reshape", constants={"shape": np.array([1, -1])})
    lower_and_compare(builder.dense(36, 4), tmp_path)


def test_two_linear_layers_in_a_row(tmp_path):
    lower_and_compare(Builder((5,)).dense(5, 7).dense(7, 3), tmp_path)


@pytest.mark.parametrize("domain", ["onnx.brevitas", "finn.custom_op.general"])
def test_domains_of_older_exports(domain, tmp_path):
    builder = two_layers(lambda b: b.norm(6), tmp_path, opset=9)
    for node in builder.nodes:
        if node.domain:
            node.domain = domain
    path = builder.path(tmp_path)
    import onnx

    proto = onnx.load(path)
    proto.opset_import[1].domain = domain
    onnx.save(proto, path)
    images = builder.images()
    model = frontend.read(path)
    lowered = frontend.lower(model)
    answer = lowered.host.decode(lowered.graph.run(lowered.host.encode(images)))
    np.testing.assert_array_equal(answer, model.run(images))


def test_the_host_comes_back_from_its_folder(tmp_path):
    builder = two_layers(lambda b: b.norm(6), tmp_path).norm(3)
    lowered = frontend.lower(frontend.read(builder.path(tmp_path)))
    (tmp_path / "host").mkdir()
    lowered.host.save(tmp_path / "host")
    again = frontend.Host.load(tmp_path / "host")
    images = builder.images()
    integers = lowered.graph.run(lowered.host.encode(images))
    np.testing.assert_array_equal(again.encode(images), lowered.host.encode(images))
    np.testing.assert_array_equal(again.decode(integers), lowered.host.decode(integers))


def test_ties_within_rounding_are_reported(tmp_path):
    """A scale of 0.1 is no power of two: the model's own sums are rounded, and zero is a tie."""
    builder = Builder((16,), bipolar=True).dense(16, 4, scale=0.1, name="first").sign()
    lowered = frontend.lower(frontend.read(builder.dense(4, 2).path(tmp_path)))
    assert lowered.notes[0] == Note("first", "rounding", (0, 1, 2, 3), 4, (0, 0, 0, 0))
    assert lowered.findings[0] == ("first: rounded sums could cross a threshold in all 4 channels")
    assert lowered.findings[-1] == ROUNDED


def test_pytorch_decides_where_it_rounds_differently(tmp_path):
    builder = two_layers(lambda b: None, tmp_path)
    model = frontend.read(builder.path(tmp_path))

    def other(values):
        bits = np.where(values >= 0, 1, -1).astype(np.int8)
        bits[:, 2] = np.where(values[:, 2] > 0, 1, -1)  # zero falls to the other side
        return bits

    view = [SimpleNamespace(name="first", function=other)]
    lowered = frontend.lower(model, view)
    assert lowered.notes == (Note("first", "pytorch", (2,), 6, (0,)),)
    assert lowered.findings == (
        "first: ONNX Runtime and PyTorch round a sum to different sides of the threshold in 1 of 6 "
        "channels (2); PyTorch's side is used",
    )
    images = (builder.random.integers(-8, 8, (400, 5)) / 8).astype(np.float32)
    answer = lowered.host.decode(lowered.graph.run(lowered.host.encode(images)))
    np.testing.assert_array_equal(answer, lowered.reference.run(images))
    assert (answer != model.run(images)).any()  # some sums are ties
    plain = frontend.lower(model).graph.nodes[0].kernel.thresholds[0]
    assert (lowered.graph.nodes[0].kernel.thresholds[0] - plain).tolist() == [0, 0, 1, 0, 0, 0]


@pytest.mark.parametrize("count", [0, 2])
def test_a_checkpoint_of_another_model_is_told(count, tmp_path):
    model = frontend.read(two_layers(lambda b: None, tmp_path).path(tmp_path))
    view = [SimpleNamespace(name="a", function=np.sign)] * count
    with pytest.raises(UserError, match="compile the model that was exported from it"):
        frontend.lower(model, view)


def refusal(builder, tmp_path):
    with pytest.raises(UnsupportedModel) as error:
        frontend.lower(frontend.read(builder.path(tmp_path)))
    return str(error.value)


def test_bits_that_rise_and_fall_are_looked_up(tmp_path):
    builder = two_layers(lambda b: b.add("Abs").add("Sub", constants={"k": 1.0}), tmp_path)
    model = frontend.read(builder.path(tmp_path))
    lowered = frontend.lower(model)
    images = builder.images()
    answer = lowered.host.decode(lowered.graph.run(lowered.host.encode(images)))
    np.testing.assert_array_equal(answer, lowered.reference.run(images))
    assert [node.kernel.stem for node in lowered.graph.nodes][-2:] == ["requantize", "mvu"]


def test_bits_of_a_checkpoint_must_be_monotone(tmp_path):
    builder = two_layers(lambda b: b.add("Abs").add("Sub", constants={"k": 1.0}), tmp_path)
    view = [SimpleNamespace(name="a", function=lambda values: np.sign(np.abs(values) - 1))] * 2
    with pytest.raises(UnsupportedModel) as error:
        frontend.lower(frontend.read(builder.path(tmp_path)), view)
    assert str(error.value) == (
        "first: the activation of channel 0 is not monotone in the sum (it changes 2 times); only "
        "monotone operators are supported between this layer and its quantiser"
    )


def test_too_many_levels(tmp_path):
    builder = Builder((5,)).dense(5, 4, name="first").norm(4).add("Relu").dense(4, 2, name="last")
    text = refusal(builder, tmp_path)
    assert text.startswith("last: its input, the activation after first, has ")
    assert text.endswith(
        "which are neither 1-bit nor multiples of one scale: use a quantiser before this "
        "layer, bipolar or of several bits"
    )


@pytest.mark.parametrize(
    ("build", "text"),
    [
        (
            lambda b: b.add("LRN", name="odd", size=3).conv(4, 2, 1),
            "odd: operator LRN is not supported here; the supported layers are " + supported(),
        ),
        (
            lambda b: b.add(
                "Pad", name="odd", mode="reflect", constants={"p": np.array([0, 0, 1, 1] * 2)}
            ).conv(4, 2),
            "odd: pads in mode 'reflect', which is not supported; pad with a constant",
        ),
        (
            lambda b: b.add(
                "Pad", name="odd", constants={"p": np.array([0, 0, 1, 1] * 2), "v": np.float32(0.5)}
            ).conv(4, 2),
            "odd: pads with 0.5, which is not supported: pad bits with zero or with the value of "
            "-1 or +1, and integers with one of their values",
        ),
        (
            lambda b: b.add("Mul", name="odd", constants={"k": np.ones((1, 4, 6, 6))}).conv(4, 2),
            "odd: the constant 'odd_k' of shape (1, 4, 6, 6) is neither one value nor one for each "
            "of 4 channels; constants per pixel are not supported",
        ),
    ],
)
def test_refusals_name_the_layer_and_the_remedy(build, text, tmp_path):
    builder = Builder((4, 6, 6), bipolar=True)
    build(builder)
    assert refusal(builder, tmp_path) == text


def test_weights_of_several_values(tmp_path):
    builder = Builder((4,))
    weights = np.array([[1.0, 2.0]] * 4) * [[1], [1], [-1], [1.234567]]
    builder.add("MatMul", name="odd", constants={"w": weights})
    assert refusal(builder, tmp_path) == (
        "odd: the weights of output channel 0 are neither bipolar (plus and minus one scale) nor "
        "the output of a quantiser of at most 16 bits, nor multiples of one scale: quantise them "
        "(for example to 1 bit)"
    )


def test_an_input_that_is_not_quantised(tmp_path):
    builder = Builder((4,))
    builder.nodes.clear()
    builder.tensor = "x"
    assert refusal(builder.dense(4, 2, name="first"), tmp_path) == (
        "the input 'x' is not quantised before first: put a quantiser there (QuantIdentity in "
        "Brevitas), annotate its integer type, or state the values of the input, for example with "
        "--input uint8/255"
    )
