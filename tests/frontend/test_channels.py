# SPDX-License-Identifier: BSD-3-Clause
"""Branches that are concatenated, split, sliced and shuffled by channels."""

import numpy as np
import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from bonn_hw.errors import UnsupportedModel
from bonn_hw.passes.fifo_sizing import size_fifos
from bonn_hw.passes.width_conversion import insert_width_converters
from bonn_hw.timing.model import run
from tests.kernels.test_stream_fork import prove_meeting
from tests.support.sketch import Sketch, agree, kernels, lowered


def start(*shape, seed=0, bits=4, opset=17):
    """A sketch whose input is quantised, with the name of that tensor."""
    sketch = Sketch(*shape, seed=seed, opset=opset).quant(bits)
    return sketch, sketch.last


def on(sketch, tensor):
    sketch.last = tensor
    return sketch


def concat(sketch, *tensors, axis=1, name=""):
    """Concatenate tensors, the first one `last` of the branch that goes on."""
    return sketch._behind("Concat", list(tensors), name, axis=axis)


def split(sketch, *sizes, axis=1, name=""):
    """Split `last`; returns the names of the parts."""
    parts = [f"part{place}_{len(sketch.nodes)}" for place in range(len(sizes))]
    sketch.add("Split", np.array(sizes, np.int64), name=name, axis=axis)
    sketch.nodes[-1].output[:] = parts
    return parts


def sliced(sketch, start, end, axis=1, step=1, name=""):
    return sketch.add("Slice", *(np.array([v]) for v in (start, end, axis, step)), name=name)


def shuffled(sketch, groups, channels, height, width):
    """Exchange groups and channels of a group, as ShuffleNet does."""
    sketch.add("Reshape", np.array([1, groups, channels // groups, height, width]))
    sketch.add("Transpose", perm=[0, 2, 1, 3, 4])
    return sketch.add("Reshape", np.array([1, channels, height, width]))


def unet():
    """Down, up again, and the finer image beside the coarse one."""
    sketch, _ = start(2, 4, 6)
    fine = sketch.conv(3, 2, pads=[1] * 4).norm(3).sign().last
    sketch.pool().conv(4, 3, pads=[1] * 4).norm(4).sign()
    given = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    sketch.add("Resize", np.zeros(0, np.float32), np.array([1, 1, 2, 2], np.float32), **given)
    concat(sketch, sketch.last, fine)
    return sketch.conv(3, 7, pads=[1] * 4).norm(3).sign().conv(2, 3, (1, 1))


def fire():
    """SqueezeNet's module: 1x1 and 3x3 expansions, each behind a quantised ReLU of one scale."""
    sketch, _ = start(3, 4, 4, seed=1)
    squeezed = sketch.conv(2, 3, (1, 1)).add("Relu").quant(3, 0, 4.0).last
    small = sketch.conv(3, 2, (1, 1)).add("Relu").quant(4, 0, 2.0).last
    large = on(sketch, squeezed).conv(4, 2, pads=[1] * 4).add("Relu").quant(4, 0, 2.0).last
    return concat(sketch, small, large).conv(2, 7, (1, 1))


def dense_block():
    """DenseNet's block: every layer sees all results before it, summed by a norm and a sign."""
    sketch, features = start(2, 4, 4, seed=2)
    for wide in (2, 4, 6):
        on(sketch, features).norm(wide).sign().conv(2, wide, pads=[1] * 4)
        concat(sketch, features, sketch.last)
        features = sketch.last
    return sketch.norm(8).sign().flatten().dense(8 * 16, 3)


def shuffle_unit():
    """ShuffleNet v2's unit: half of the channels pass, the others are convolved; then a shuffle."""
    sketch, _ = start(4, 4, 4, seed=3)
    sketch.conv(4, 4, (1, 1)).norm(4).quant(4, 1, 0.25)
    passed, taken = split(sketch, 2, 2)
    on(sketch, taken).conv(2, 2, pads=[1] * 4).norm(2).quant(4, 1, 0.25)
    shuffled(concat(sketch, passed, sketch.last), 2, 4, 4, 4)
    return sketch.conv(3, 4, (1, 1))


@pytest.mark.parametrize(
    ("network", "stems"),
    [
        (unet, {"concat": 1, "upsample": 1, "stream_fork": 1, "requantize": 0}),
        (fire, {"concat": 1, "stream_fork": 1, "requantize": 3}),
        (dense_block, {"concat": 3, "stream_fork": 3, "requantize": 0}),
        (shuffle_unit, {"concat": 1, "stream_fork": 1, "copy_channels": 3}),
    ],
)
def test_blocks_of_known_networks(network, stems, tmp_path):
    found = kernels(agree(network(), tmp_path))
    assert {stem: found.count(stem) for stem in stems} == stems


@pytest.mark.parametrize("network", [unet, fire, dense_block, shuffle_unit])
@pytest.mark.parametrize("place", [0, 1])
def test_queues_hold_what_unequal_branches_need(network, place, tmp_path):
    """At the least and the most parallelism, frames pass at the rate of the slowest stage."""
    graph = lowered(network(), tmp_path).graph
    foldings = {n.name: list(n.kernel.foldings())[-place] for n in graph.nodes}
    design = size_fifos(insert_width_converters(graph, foldings))
    timing = run(design, 6)
    assert np.diff(timing.last_out)[-2:].tolist() == [design.bound] * 2


@pytest.mark.rtl
@pytest.mark.parametrize("network", [unet, shuffle_unit])
def test_rtl(network, tmp_path):
    graph = lowered(network(), tmp_path).graph
    foldings = {}
    for node in graph.nodes:
        legal = list(node.kernel.foldings())
        foldings[node.name] = legal[len(legal) // 2]
    prove_meeting(size_fifos(insert_width_converters(graph, foldings)), tmp_path)


def test_a_tensor_may_be_concatenated_with_itself(tmp_path):
    sketch, _ = start(2, 3, 3)
    twice = sketch.conv(3, 2).sign().last
    result = agree(concat(sketch, twice, twice).flatten().dense(6, 2), tmp_path)
    assert kernels(result) == ["sliding_window", "mvu", "stream_fork", "concat", "mvu"]


def test_bits_beside_integers_become_integers(tmp_path):
    sketch, image = start(2, 3, 3)
    bits = sketch.conv(3, 2, (1, 1)).sign().last
    result = agree(concat(sketch, bits, image).conv(2, 5), tmp_path)
    assert kernels(result).count("requantize") == 1
    (joined,) = (node for node in result.graph.nodes if node.kernel.stem == "concat")
    low_high = [(kind.element.low, kind.element.high) for kind in joined.kernel.inputs]
    assert low_high == [(-1, 1), (-8, 7)]


def test_bits_of_two_scales_stay_apart(tmp_path):
    """±1 beside ±4: integers of the scale 1 for the layer that follows."""
    sketch, image = start(2, 3, 3)
    one = sketch.conv(3, 2, (1, 1)).sign(1.0).last
    other = on(sketch, image).conv(2, 2, (1, 1)).sign(4.0).last
    result = agree(concat(sketch, one, other).conv(2, 5), tmp_path)
    assert result.graph.nodes[-2].kernel.inputs[0].element.low == -4


def test_scales_may_differ_where_a_quantiser_follows(tmp_path):
    sketch, image = start(2, 4, 4, seed=4)
    one = sketch.conv(3, 2).quant(4, 1, 1.7).last
    other = on(sketch, image).conv(2, 2).quant(4, 1, 2.3).last
    agree(concat(sketch, one, other).norm(5).quant(3, 1, 0.7).conv(2, 5, (2, 2)), tmp_path)


def test_scales_without_a_common_one_are_refused_by_the_layer_that_follows(tmp_path):
    sketch, image = start(2, 4, 4)
    one = sketch.conv(3, 2).quant(4, 1, 1.7).last
    other = on(sketch, image).conv(2, 2).quant(4, 1, 2.3).last
    concat(sketch, one, other, name="both").conv(2, 5, (2, 2), name="after")
    message = (
        r"after: its input, from both, has 2 scales \(from 1\.7 to 2\.3\), which are not multiples "
        r"of one: quantise it with one scale, or the branches of a concatenation with the same "
        r"quantiser"
    )
    with pytest.raises(UnsupportedModel, match=message):
        lowered(sketch, tmp_path)


def test_the_remedy_for_several_scales_works(tmp_path):
    sketch, image = start(2, 4, 4)
    one = sketch.conv(3, 2).quant(4, 1, 1.7).last
    other = on(sketch, image).conv(2, 2).quant(4, 1, 1.7).last
    agree(concat(sketch, one, other).conv(2, 5, (2, 2)), tmp_path)


def test_flattened_images_and_vectors_are_concatenated(tmp_path):
    """Of different pixels: the next layer's weights follow the order of the stream."""
    sketch, image = start(2, 4, 4, seed=5)
    flat = sketch.conv(3, 2).norm(3).sign().flatten().last
    vector = on(sketch, image).flatten().dense(32, 5).sign().last
    result = agree(concat(sketch, flat, vector, axis=-1).dense(12 + 5, 3), tmp_path)
    assert result.graph.nodes[-2].kernel.channels == (12, 5)


@pytest.mark.parametrize("opset", [9, 11, 17])
def test_a_split_in_every_form(opset, tmp_path):
    """Its sizes are an attribute before operator set 13; Slices have attributes before 10."""
    sketch, _ = start(5, 3, 3, seed=6, opset=opset)
    sketch.conv(5, 5, (1, 1)).sign()
    if opset >= 13:
        parts = split(sketch, 1, 3, 1)
    else:
        source = sketch.last
        parts = [f"{source}/part{place}" for place in range(3)]
        sketch.add("Split", axis=1, split=[1, 3, 1])
        sketch.nodes[-1].output[:] = parts
    first = on(sketch, parts[0]).conv(2, 1).sign().last
    second = on(sketch, parts[1]).conv(2, 3).sign().last
    result = agree(concat(sketch, first, second).flatten().dense(4, 2), tmp_path)
    assert kernels(result).count("copy_channels") == 2  # the third part is used by nobody


@pytest.mark.parametrize(
    ("ends", "kept"), [((1, 3), [1, 2]), ((-2, 2**31 - 1), [2, 3]), ((3, -5, 1, -2), [3, 1])]
)
def test_slices_of_quantised_channels(ends, kept, tmp_path):
    sketch, _ = start(2, 3, 3, seed=7)
    sliced(sketch.conv(4, 2, (1, 1)).norm(4).sign(), *ends)
    result = agree(sketch.conv(2, 2), tmp_path)
    (copies,) = (n.kernel for n in result.graph.nodes if n.kernel.stem == "copy_channels")
    assert copies.index.tolist() == kept


def test_of_a_matrix_layer_only_the_kept_neurons_are_computed(tmp_path):
    sketch, _ = start(2, 3, 3, seed=8)
    sliced(sketch.conv(4, 2), 1, 3)
    result = agree(sketch.norm(2).sign().flatten().dense(2, 2), tmp_path)
    assert kernels(result) == ["sliding_window", "mvu", "mvu"]
    assert len(result.graph.nodes[1].kernel.weights) == 2


def test_a_slice_of_a_flattened_image(tmp_path):
    """Its elements are those of the tensor's order, not of the stream's."""
    sketch, _ = start(2, 4, 4, seed=9)
    sketch.conv(3, 2).norm(3).quant(3).flatten()
    agree(sliced(sketch, 2, 9).dense(7, 3), tmp_path)


def test_a_slice_of_everything_costs_nothing(tmp_path):
    sketch, _ = start(2, 3, 3)
    sliced(sketch.conv(2, 2).sign(), 0, 99)
    assert kernels(agree(sketch.flatten().dense(2, 2), tmp_path)) == [
        "sliding_window",
        "mvu",
        "mvu",
    ]


def test_behind_the_last_matrix_layer_the_host_does_it(tmp_path):
    sketch, _ = start(2, 3, 3)
    sketch.conv(4, 2).flatten()
    first, second = split(sketch, 1, 3)
    result = agree(concat(sketch, second, first), tmp_path)
    assert kernels(result) == ["sliding_window", "mvu"]


@pytest.mark.parametrize("groups", [2, 3])
def test_a_shuffle_is_a_copy_of_channels(groups, tmp_path):
    sketch, _ = start(2, 3, 4, seed=groups)
    shuffled(sketch.conv(6, 2, (1, 1)).norm(6).sign(), groups, 6, 3, 4)
    result = agree(sketch.conv(2, 6), tmp_path)
    (copies,) = (n.kernel for n in result.graph.nodes if n.kernel.stem == "copy_channels")
    assert copies.index.tolist() == np.arange(6).reshape(groups, -1).T.ravel().tolist()


def _constant(sketch, image):
    sketch.add("Concat", np.zeros((1, 2, 4, 4), np.float32), name="cat", axis=1)
    sketch.conv(2, 4)


def _rows(sketch, image):
    concat(sketch.conv(2, 2, (1, 1)).sign(), image, sketch.last, axis=2, name="cat")
    sketch.conv(2, 2)


def _norms(sketch, image):
    bits = sketch.conv(2, 2, (1, 1)).norm(2).last
    concat(sketch, bits, image, name="cat").conv(2, 4)


def _crop(sketch, image):
    sliced(sketch, 1, 3, axis=2, name="crop").conv(2, 2, (1, 1))


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (_constant, "cat: concatenates .* with constants; only branches that depend on the input"),
        (
            _rows,
            "cat: concatenates along axis 2, which is not that of the channels of .*; only "
            "channels are concatenated",
        ),
        (
            _norms,
            "cat: its input, the activation after .* nor multiples of one scale: quantise each "
            "branch before the concatenation, best with the same quantiser",
        ),
        (
            _crop,
            "crop: slices axis 2, which is not that of the channels; only channels are sliced: "
            "crop images before the input",
        ),
    ],
)
def test_what_is_refused(build, message, tmp_path):
    sketch, image = start(2, 4, 4)
    build(sketch, image)
    with pytest.raises(UnsupportedModel, match=message):
        lowered(sketch, tmp_path)


KINDS = (
    *("conv", "sums", "concat", "slice", "split", "shuffle", "depthwise", "dilated", "grouped"),
    *("average", "maximum", "transposed", "moved", "Add", "Sub", "Mul", "Max", "Min", "gate"),
)


@st.composite
def joined_networks(draw):
    """Tensors of one size, each made of one or more before, by a layer or by moving channels."""
    channels = draw(st.integers(1, 4))
    sketch, entry = start(channels, 4, 4, seed=draw(st.integers(0, 99)))
    tensors = [(entry, channels)]
    for _ in range(draw(st.integers(2, 6))):
        tensor, wide = draw(st.sampled_from(tensors[-3:]))
        on(sketch, tensor)
        kind = draw(st.sampled_from(KINDS))
        others = [one for one in tensors if one[1] == wide]
        if kind == "slice":
            first = draw(st.integers(0, wide - 1))
            wide = draw(st.integers(first + 1, wide)) - first
            sliced(sketch, first, first + wide)
        elif kind == "split" and wide > 1:
            parts = split(sketch, 1, wide - 1)
            tensors.append((parts[0], 1))
            on(sketch, parts[1])
            wide -= 1
        elif kind == "shuffle":
            groups = draw(st.sampled_from([g for g in range(1, wide + 1) if wide % g == 0]))
            shuffled(sketch, groups, wide, 4, 4)
        elif kind == "concat":
            ends = [
                (tensor, wide),
                *draw(st.lists(st.sampled_from(tensors), min_size=1, max_size=2)),
            ]
            concat(sketch, *(name for name, _ in ends))
            wide = sum(width for _, width in ends)
        elif kind in ("Add", "Sub", "Mul", "Max", "Min"):
            sketch._behind(kind, [tensor, draw(st.sampled_from(others))[0]], "")
            sketch.quant(4, 1, 0.5)
        elif kind == "gate":
            sketch.add("GlobalAveragePool").quant(3, 0, 0.25)
            sketch._behind("Mul", [tensor, sketch.last], "").quant(4, 1, 0.5)
        elif kind == "average":
            given = {"kernel_shape": (3, 3), "pads": (1,) * 4, "count_include_pad": 1}
            sketch.add("AveragePool", **given).quant(4, 1, 0.5)
        elif kind == "maximum":
            step = draw(st.sampled_from([1, 2]))
            sketch.pool((3, 2), (1, 1), dilations=(step, 1), pads=(step, 0, step, 1))
        elif kind == "moved":  # pixels to channels and back, or the reverse
            sketch.add("SpaceToDepth", blocksize=2)
            sketch.add("DepthToSpace", blocksize=2, mode=draw(st.sampled_from(["DCR", "CRD"])))
        else:
            wide = _matrix(draw, sketch, kind, wide)
            if kind != "sums":
                sketch.norm(wide)
                draw(st.sampled_from([lambda: sketch.sign(0.5), lambda: sketch.quant(3, 1, 0.5)]))()
        tensors.append((sketch.last, wide))
    if draw(st.booleans()):
        sketch.quant(3, 1, 0.7)
    return sketch.flatten().dense(16 * wide, 2)


def _matrix(draw, sketch, kind, before):
    """A layer with weights that keeps the size of the image; returns its channels."""
    wide, scale = draw(st.integers(1, 4)), draw(SCALES)
    if kind == "depthwise":
        wide *= before
        sketch.conv(wide, 1, pads=[1] * 4, scale=scale, group=before)
    elif kind == "grouped":
        groups = draw(st.sampled_from([g for g in range(1, before + 1) if before % g == 0]))
        wide *= groups
        sketch.conv(wide, before // groups, (1, 1), scale=scale, group=groups)
    elif kind == "dilated":
        sketch.conv(wide, before, pads=[2] * 4, dilations=[2, 2], scale=scale)
    elif kind == "transposed":
        stride = draw(st.sampled_from([1, 2]))
        if stride == 2:
            sketch.pool()
        weights = sketch.signs(before, wide, 2 + stride, 2 + stride) * np.float32(scale)
        sketch.add("ConvTranspose", weights, strides=[stride] * 2, pads=[1] * 4)
    else:
        side = draw(st.sampled_from([1, 3]))
        sketch.conv(wide, before, (side, side), pads=[side // 2] * 4, scale=scale)
    return wide


SCALES = st.sampled_from([1.0, 0.25, 0.3])


@given(joined_networks())
@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
def test_any_network_of_these_layers_is_exact_or_refused(tmp_path, sketch):
    exact_or_refused(tmp_path, sketch)


@pytest.mark.large
@given(joined_networks())
@settings(max_examples=1000, deadline=None, suppress_health_check=list(HealthCheck))
def test_a_thousand_networks_of_these_layers_are_exact_or_refused(tmp_path, sketch):
    exact_or_refused(tmp_path, sketch)


def exact_or_refused(tmp_path, sketch):
    try:
        agree(sketch, tmp_path)
        event("lowered")
    except UnsupportedModel as error:
        event("refused")
        layers = {node.name for node in sketch.nodes}
        assert any(name in str(error) for name in layers), str(error)
