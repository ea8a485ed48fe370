# SPDX-License-Identifier: BSD-3-Clause
import json
import re

import pytest

from bonn_hw.errors import UserError
from bonn_hw.interop.dialect import FOLDINGS
from bonn_hw.ir.folding import Folding
from bonn_hw.passes.fifo_sizing import size_fifos
from bonn_hw.passes.folding import choose_foldings
from bonn_hw.passes.folding_file import FORM, FoldingConstraints, constraints_from, read_constraints
from bonn_hw.passes.width_conversion import insert_width_converters
from tests.support.networks import small_cnn
from tests.support.residual import unequal_block


def read(text, tmp_path, graph=None):
    path = tmp_path / "f.json"
    path.write_text(text)
    return read_constraints(path, graph or small_cnn(), FOLDINGS)


def test_pe_may_be_left_out(tmp_path):
    constraints = read('{"mvu_0": {"PE": 2, "SIMD": 3}, "pad_0": {"SIMD": 1}}', tmp_path)
    assert constraints == FoldingConstraints({"mvu_0": Folding(2, 3), "pad_0": Folding(1, 1)}, {})


def test_depths_may_be_given_alone(tmp_path):
    text = '{"add_0": {"inFIFODepths": [0, 40]}}'
    assert read(text, tmp_path, unequal_block()) == FoldingConstraints(
        {}, {("add_0", 0): 0, ("add_0", 1): 40}
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[1]", f"folding file FILE is not a JSON object: {FORM}"),
        ('{"mvu_0": 3}', f"folding file FILE: mvu_0 has 3: {FORM}"),
        ('{"mvu_0": {"PE": 2}}', f"folding file FILE: mvu_0 has {{'PE': 2}}, without SIMD: {FORM}"),
        ('{"mvu_0": {"pe": 2}}', f"folding file FILE: mvu_0 has {{'pe': 2}}: {FORM}"),
        (
            '{"mvu_0": {"PE": true, "SIMD": 1}}',
            "folding file FILE: mvu_0 has {'PE': True, 'SIMD': 1}: PE and SIMD are positive "
            "integers",
        ),
        (
            '{"mvu_0": {"PE": 1, "SIMD": 0}}',
            "folding file FILE: mvu_0 has {'PE': 1, 'SIMD': 0}: PE and SIMD are positive integers",
        ),
        (
            '{"mvu_0": {"SIMD": 1}, "mvu_0": {"SIMD": 3}}',
            "folding file FILE: mvu_0 is given twice, as {'SIMD': 1} and as {'SIMD': 3}: keep one "
            "of them",
        ),
        (
            '{"mvu_0": {"inFIFODepths": [2, 2]}}',
            "folding file FILE: mvu_0 has inFIFODepths [2, 2]: one depth of 0 or more for each of "
            "its 1 inputs",
        ),
        (
            '{"mvu_0": {"inFIFODepths": [-1]}}',
            "folding file FILE: mvu_0 has inFIFODepths [-1]: one depth of 0 or more for each of "
            "its 1 inputs",
        ),
        (
            '{"mvu_0": {"inFIFODepths": 3}}',
            "folding file FILE: mvu_0 has inFIFODepths 3: one depth of 0 or more for each of its 1 "
            "inputs",
        ),
        (
            '{"mvu_9": {"inFIFODepths": [1]}}',
            "folding: there is no layer 'mvu_9'; the layers are pad_0, sliding_window_0, mvu_0, "
            "pad_1, sliding_window_1, mvu_1, max_pool_0, mvu_2, mvu_3",
        ),
        (
            '{"mvu_9": {"SIMD": 1}}',
            "folding: there is no layer 'mvu_9'; the layers are pad_0, sliding_window_0, mvu_0, "
            "pad_1, sliding_window_1, mvu_1, max_pool_0, mvu_2, mvu_3",
        ),
        (
            '{"MVAU_hls_4": {"PE": 1, "SIMD": 1}}',
            "folding: MVAU_hls_4 has no counterpart: the model has 4 layers of that kind (mvu); "
            "this folding file belongs to another model",
        ),
        (
            '{"Defaults": {}, "MVAU_1": {"PE": 3, "SIMD": 9}}',
            "folding: MVAU_1 has PE 3, which does not fit mvu_1 (layer of mvu_1): it must be one "
            "of [1, 2, 4, 8]; this file may belong to another model",
        ),
    ],
)
def test_other_contents_are_refused(text, message, tmp_path):
    with pytest.raises(UserError) as error:
        read(text, tmp_path)
    assert str(error.value) == message.replace("FILE", str(tmp_path / "f.json"))


def test_what_is_no_json_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"is not JSON: Expecting property name"):
        read("{", tmp_path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UserError, match=r"folding file .*no\.json cannot be read: No such file"):
        read_constraints(tmp_path / "no.json", small_cnn())


@pytest.mark.parametrize("graph", [small_cnn(), unequal_block()])
def test_what_is_written_fixes_the_design(graph, tmp_path):
    chosen = choose_foldings(graph, 900, {}, 380)
    design = size_fifos(insert_width_converters(graph, chosen))
    constraints = read(json.dumps(constraints_from(design)), tmp_path, graph)
    assert constraints.foldings == chosen
    again = insert_width_converters(graph, constraints.foldings)
    inputs = {stage.name: stage.node.inputs for stage in again.stages}
    fixed = {inputs[name][place]: depth for (name, place), depth in constraints.depths.items()}
    assert size_fifos(again, fixed) == design


def test_finns_own_form(tmp_path):
    text = """{
      "Defaults": {},
      "Thresholding_rtl_0": {"PE": 1, "runtime_writeable_weights": 0},
      "ConvolutionInputGenerator_rtl_1": {"SIMD": 2, "ram_style": "distributed"},
      "StreamingFCLayer_Batch_1": {"PE": 4, "SIMD": 9, "ram_style": "auto", "inFIFODepths": [7]},
      "StreamingFCLayer_Batch_3": {"PE": 5, "SIMD": 1},
      "StreamingMaxPool_hls_0": {"inFIFODepths": [2]},
      "StreamingFIFO_rtl_3": {"depth": 32},
      "LabelSelect_hls_0": {"PE": 1}
    }"""
    constraints = read(text, tmp_path)
    assert constraints == FoldingConstraints(
        {"sliding_window_1": Folding(2, 2), "mvu_1": Folding(4, 9), "mvu_3": Folding(5, 1)}
    )


def test_the_message_is_one_line(tmp_path):
    with pytest.raises(UserError) as error:
        read('{"mvu_0": {"PE": 5, "SIMD": 3}}', tmp_path)
    assert re.fullmatch(
        r"folding: mvu_0 \(layer of mvu_0\) cannot have PE 5 .* one of \[1, 3, 9\]",
        str(error.value),
    )
