# SPDX-License-Identifier: BSD-3-Clause
"""A design's foldings come back from the file that FINN reads."""

import pytest

from bonn_hw.interop.finn_folding import OPERATORS, from_own, is_finn, to_own
from bonn_hw.passes.folding import choose_foldings
from bonn_hw.passes.width_conversion import insert_width_converters
from networks import cnv
from residual import unequal_block


@pytest.mark.parametrize(("graph", "cycles"), [(cnv(), 32768), (unequal_block(), 900)])
def test_round_trip(graph, cycles):
    chosen = choose_foldings(graph, cycles, {}, 380)
    document = from_own(insert_width_converters(graph, chosen))
    assert is_finn(document)
    own = to_own(document, graph)
    stems = {operator.stem for operator in OPERATORS.values()}
    kept = {node.name for node in graph.nodes if node.kernel.stem in stems}
    assert own == {name: {"PE": chosen[name].pe, "SIMD": chosen[name].simd} for name in kept}


def test_names_are_finns():
    graph = cnv()
    document = from_own(insert_width_converters(graph, choose_foldings(graph, 32768, {}, 380)))
    assert list(document)[:3] == ["Defaults", "MVAU_hls_0", "MVAU_hls_1"]
    assert document["ConvolutionInputGenerator_rtl_0"].keys() == {"SIMD"}
    assert document["StreamingMaxPool_hls_1"].keys() == {"PE"}
