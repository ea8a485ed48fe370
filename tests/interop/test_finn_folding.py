# SPDX-License-Identifier: BSD-3-Clause
"""FINN's folding files: what they fix here, what they cannot, and that ours come back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bonn_hw.errors import UserError
from bonn_hw.frontend.graph_builder import GraphBuilder
from bonn_hw.frontend.padding import Geometry
from bonn_hw.interop.finn_folding import OPERATORS, from_own, is_finn, to_own
from bonn_hw.ir.design import FoldedDesign, Stage
from bonn_hw.ir.folding import Folding
from bonn_hw.ir.tensor import Element, TensorType
from bonn_hw.kernels.average_pool import AveragePool
from bonn_hw.kernels.max_pool import MaxPool
from bonn_hw.passes.folding import choose_foldings
from bonn_hw.passes.width_conversion import insert_width_converters
from tests.support.networks import CNV_FINN_FOLDING, Chain, cnv, small_cnn
from tests.support.residual import residual_graphs, unequal_block

CNV = cnv()


def own(graph, foldings):
    """What `to_own` gives for foldings, less the layers that it leaves alone."""
    stems = {operator.stem for operator in OPERATORS.values()} - {"max_pool"}
    kept = [node.name for node in graph.nodes if node.kernel.stem in stems]
    return {name: {"PE": foldings[name].pe, "SIMD": foldings[name].simd} for name in kept}


def tap_by_tap(node):
    """Foldings that FINN has: none of a window's rows of taps."""
    foldings = list(node.kernel.foldings())
    return [f for f in foldings if node.kernel.stem != "sliding_window" or f.pe == f.simd]


def lanes(number):
    return {"PE": number, "SIMD": number}


def pools(*kinds):
    """A graph of pools on a 12x12 frame: of each its kernel class, window and stride."""
    builder, frame = GraphBuilder(TensorType((12, 12, 4), Element(0, 7))), (12, 12)
    for kind, kernel, stride in kinds:
        geometry = Geometry(frame, (kernel, kernel), (stride, stride), (0, 0, 0, 0))
        builder.pool(kind, geometry, 0, kind.stem)
        frame = geometry.pixels
    return builder.graph()


@pytest.mark.parametrize(("graph", "cycles"), [(CNV, 32768), (unequal_block(), 900)])
def test_round_trip_of_designs(graph, cycles):
    chosen = choose_foldings(graph, cycles, {}, 380)
    document = from_own(insert_width_converters(graph, chosen))
    assert is_finn(document)
    assert to_own(document, graph) == own(graph, chosen)


@given(st.data())
def test_round_trip_of_any_foldings(data):
    graph = data.draw(residual_graphs(("sum",)))
    foldings = {node.name: data.draw(st.sampled_from(tap_by_tap(node))) for node in graph.nodes}
    stages = tuple(Stage(node, foldings[node.name]) for node in graph.nodes)
    assert to_own(from_own(FoldedDesign(graph, stages)), graph) == own(graph, foldings)


def test_names_are_finns():
    document = from_own(insert_width_converters(CNV, choose_foldings(CNV, 32768, {}, 380)))
    assert list(document) == [
        "Defaults",
        *(f"MVAU_hls_{place}" for place in range(9)),
        *(f"ConvolutionInputGenerator_rtl_{place}" for place in range(6)),
    ]
    assert document["MVAU_hls_8"].keys() == {"PE", "SIMD"}
    assert document["ConvolutionInputGenerator_rtl_0"].keys() == {"SIMD"}
    residual = unequal_block()
    document = from_own(insert_width_converters(residual, choose_foldings(residual, 900, {}, 380)))
    assert set(document) == {
        "Defaults",
        "MVAU_hls_0",
        "ConvolutionInputGenerator_rtl_0",
        "FMPadding_rtl_0",
        "DuplicateStreams_hls_0",
        "AddStreams_hls_0",
    }


def test_finns_own_file_of_cnv():
    """The numbers of finn-examples, build/bnn-pynq/folding_config/cnv-w1a1_folding_config.json."""
    document = {"Defaults": {}, "Thresholding_Batch_0": {"PE": 1, "ram_style": "distributed"}}
    for place, simd in enumerate((3, 32, 32, 32, 32, 32)):
        document[f"ConvolutionInputGenerator_{place}"] = {"SIMD": simd, "ram_style": "distributed"}
    for place, folding in enumerate(CNV_FINN_FOLDING.values()):
        values = {"PE": folding.pe, "SIMD": folding.simd, "ram_style": "auto"}
        document[f"MatrixVectorActivation_{place}"] = values
    document["LabelSelect_Batch_0"] = {"PE": 1}
    windows = {f"sliding_window_{place}": Folding(32, 32) for place in range(1, 6)}
    windows["sliding_window_0"] = Folding(3, 3)
    assert to_own(document, CNV) == own(CNV, CNV_FINN_FOLDING | windows)


def test_an_images_max_pool_takes_all_channels_in_finn():
    """SetFolding leaves its PE at 1, which would make the pool CNV's slowest layer."""
    assert to_own({"StreamingMaxPool_hls_0": {"PE": 1}}, CNV) == {}
    signal = Chain(TensorType((16, 1, 4), Element(0, 3)))
    signal.add(MaxPool(signal.kind, (2, 1)))
    graph = signal.graph()
    assert to_own({"StreamingMaxPool_hls_0": {"PE": 2}}, graph) == {"max_pool_0": lanes(2)}


def test_later_finns_have_windows_before_every_pool():
    document = {f"ConvolutionInputGenerator_rtl_{place}": {"SIMD": 3 - place} for place in (0, 2)}
    document |= {"ConvolutionInputGenerator_rtl_3": {"SIMD": 16}, "Pool_hls_0": {"PE": 8}}
    assert to_own(document, CNV) == {
        "sliding_window_0": lanes(3),
        "sliding_window_2": lanes(16),
        "max_pool_0": lanes(8),
    }


def test_pools_whose_windows_overlap():
    graph = pools((MaxPool, 2, 2), (MaxPool, 3, 1), (MaxPool, 2, 2), (MaxPool, 2, 1))
    document = {
        "StreamingMaxPool_hls_0": {"PE": 1},
        "ConvolutionInputGenerator_rtl_0": {"SIMD": 4},
        "Pool_hls_0": {"PE": 4},
        "StreamingMaxPool_hls_1": {"PE": 1},
        "ConvolutionInputGenerator_rtl_1": {"SIMD": 2},
        "Pool_hls_1": {"PE": 2},
    }
    assert to_own(document, graph) == {
        "sliding_window_0": lanes(4),
        "max_pool_1": lanes(4),
        "sliding_window_1": lanes(2),
        "max_pool_3": lanes(2),
    }


def test_pools_with_windows_are_not_written():
    """FINN wants the same lanes in both, so its own choice is the better one."""
    graph = pools((MaxPool, 3, 1), (AveragePool, 2, 2), (AveragePool, 5, 5))
    foldings = {"sliding_window_0": 1, "max_pool_0": 2, "average_pool_0": 1, "average_pool_1": 4}
    foldings = {name: Folding(pe, pe) for name, pe in foldings.items()}
    written = from_own(insert_width_converters(graph, foldings))
    assert written == {"Defaults": {}, "GlobalAccPool_hls_0": {"PE": 4}}


def test_averages():
    graph = pools((AveragePool, 2, 2), (MaxPool, 2, 1), (AveragePool, 5, 5))
    document = {
        "Pool_hls_0": {"PE": 1},
        "ConvolutionInputGenerator_rtl_1": {"SIMD": 2},
        "Pool_hls_1": {"PE": 2},
        "GlobalAccPool_hls_0": {"PE": 4},
    }
    expected = {
        "average_pool_0": lanes(1),
        "sliding_window_0": lanes(2),
        "max_pool_0": lanes(2),
        "average_pool_1": lanes(4),
    }
    assert to_own(document, graph) == expected
    document["Pool_hls_2"] = document.pop("GlobalAccPool_hls_0")  # as ResNet-50's last one
    assert to_own(document, graph) == expected
    document["ConvolutionInputGenerator_rtl_3"] = {"SIMD": 1}
    with pytest.raises(UserError, match=r"the model has 3 layers of that kind \(sliding_window\)"):
        to_own(document, graph)


def test_windows_of_one_pixel():
    chain = Chain(TensorType((8, 8, 4), Element(-1, 1, bipolar=True)))
    chain.convolution(4)
    chain.convolution(4, kernel=1, stride=2)
    chain.convolution(4, kernel=2)
    graph = chain.graph()
    document = {
        "ConvolutionInputGenerator_rtl_0": {"SIMD": 1},
        "DownSampler_hls_0": {"SIMD": 2},
        "ConvolutionInputGenerator_rtl_1": {"SIMD": 4},
    }
    expected = {f"sliding_window_{place}": lanes(1 << place) for place in range(3)}
    assert to_own(document, graph) == expected
    later = {f"ConvolutionInputGenerator_rtl_{place}": {"SIMD": 1 << place} for place in range(3)}
    assert to_own(later, graph) == expected
    foldings = {node.name: tap_by_tap(node)[-1] for node in graph.nodes}
    written = from_own(insert_width_converters(graph, foldings))
    assert written["DownSampler_hls_0"] == {"SIMD": 4}
    assert to_own(written, graph) == own(graph, foldings)


def test_rows_of_taps_are_written_tap_by_tap():
    graph = CNV
    foldings = {node.name: tap_by_tap(node)[-1] for node in graph.nodes}
    rows = foldings | {"sliding_window_1": Folding(192, 64)}
    written = from_own(insert_width_converters(graph, rows))
    assert written == from_own(insert_width_converters(graph, foldings))


def test_layers_that_are_counted_apart_follow_the_file():
    pes = (2, 4, 3, 5)
    names = ("MVAU_hls_0", "MVAU_rtl_0", "MVAU_rtl_1", "MVAU_hls_1")
    document = {name: {"PE": pe, "SIMD": 1} for name, pe in zip(names, pes, strict=True)}
    expected = {f"mvu_{place}": {"PE": pe, "SIMD": 1} for place, pe in enumerate(pes)}
    assert to_own(document, small_cnn()) == expected


def test_numbers_count_and_not_the_order_of_the_file():
    """finn-examples' ResNet-50 has MatrixVectorActivation_1 before _0."""
    document = {"MVAU_1": {"PE": 4, "SIMD": 6}, "MVAU_0": {"PE": 3, "SIMD": 9}}
    expected = {"mvu_1": {"PE": 4, "SIMD": 6}, "mvu_0": {"PE": 3, "SIMD": 9}}
    assert to_own(document, small_cnn()) == expected


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (
            {"FMPadding_rtl_2": {"SIMD": 1}},
            "FMPadding_rtl_2 has no counterpart: the model has 2 layers of that kind (pad); this "
            "folding file belongs to another model",
        ),
        (
            {"MVAU_0": {"PE": 1, "SIMD": 1}, "VVAU_hls_0": {"PE": 2}},
            "VVAU_hls_0 has no counterpart: no layer here is of type VVAU; this folding file "
            "belongs to another model",
        ),
        (
            {"FMPadding_Pixel_0": {"SIMD": 2}},
            "FMPadding_Pixel_0 has no counterpart: no layer here is of type FMPadding_Pixel; this "
            "folding file belongs to another model",
        ),
        (
            {"ConvolutionInputGenerator_1": {"SIMD": 4}},
            "ConvolutionInputGenerator_1 has SIMD 4, which does not fit sliding_window_1 (layer of "
            "sliding_window_1): it must be one of [1, 2, 3, 6]; this file may belong to another "
            "model",
        ),
        (
            {"MVAU_0": {"PE": [2], "SIMD": 1}},
            "MVAU_0 has PE [2], which does not fit mvu_0 (layer of mvu_0): it must be one of "
            "[1, 2, 3, 6]; this file may belong to another model",
        ),
        (
            {"MVAU_0": {"PE": 2}},
            "MVAU_0 has no SIMD: mvu_0 (layer of mvu_0) is fixed by PE and SIMD, so give both",
        ),
        (
            {"ConvolutionInputGenerator_rtl_0": {"SIMD": 1, "parallel_window": 1}},
            "ConvolutionInputGenerator_rtl_0 has parallel_window 1, but sliding_window_0 (layer of "
            "sliding_window_0) outputs the pixels of a window one after the other: set it to 0, or "
            "remove that entry",
        ),
        (
            {"MVAU_0": {"PE": 1, "SIMD": 1}, "MVAU_hls_0": {"PE": 2, "SIMD": 1}},
            "MVAU and MVAU_hls are numbered separately, so that only their order in the file says "
            "which layer each is: list all 4 that the model has of that kind, in its order, or "
            "name them MVAU_0, MVAU_1, ...",
        ),
        (
            {"Defaults": {"PE": [2, ["MVAU_hls"]]}},
            "Defaults has PE [2, ['MVAU_hls']]: foldings are read layer by layer, so write it into "
            "the entry of each layer that it is meant for",
        ),
        (
            {"Defaults": {}, "mvu_0": {"PE": 1, "SIMD": 1}},
            "mvu_0 is not a FINN layer name, but others in this file are: keep FINN's names and "
            "ours in separate files",
        ),
    ],
)
def test_what_does_not_fit_is_refused(document, message):
    with pytest.raises(UserError) as error:
        to_own(document, small_cnn())
    assert str(error.value) == f"folding: {message}"


def test_what_fixes_nothing_is_passed_over():
    document = {
        "Defaults": {"mem_mode": ["decoupled", ["MVAU_hls"]], "inFIFODepths": [[128], "all"]},
        "StreamingFIFO_rtl_0": {"depth": 32, "impl_style": "rtl"},
        "StreamingDataWidthConverter_rtl_0": {"impl_style": "rtl"},
        "Thresholding_rtl_0": {"PE": 1},
        "MVAU_hls_0": {"ram_style": "auto", "inFIFODepths": [2], "runtime_writeable_weights": 0},
        "StreamingMaxPool_Batch_0": {},
        "ChannelwiseOp_hls_0": {"PE": 1},
        "LabelSelect_hls_0": {"PE": 1},
    }
    assert to_own(document, small_cnn()) == {}
