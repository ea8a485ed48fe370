# SPDX-License-Identifier: BSD-3-Clause
"""Our RTL inside FINN's flow: what FINN generates is simulated against FINN's own execution."""

import json
from pathlib import Path

import numpy as np
import pytest

from bonn_hw.ir.rtl import Port, RtlProject
from bonn_hw.ir.stream import pack, unpack
from bonn_hw.ir.tensor import Element
from bonn_hw.sim.run import simulate
from tests.support import finn
from tests.support.tfc import write_tfc

pytestmark = [pytest.mark.finn, pytest.mark.rtl]

FRAMES = 6
FOLDING = {
    "MVAU_0": {"PE": 8, "SIMD": 14},
    "MVAU_1": {"PE": 4, "SIMD": 16},
    "MVAU_3": {"PE": 5, "SIMD": 8},
    "LabelSelect_0": {"PE": 2},
}


class Flow:
    """FINN's flow on a model, in a folder."""

    def __init__(self, model, images, folder, folding):
        np.save(folder / "frames.npy", images)
        (folder / "folding.json").write_text(json.dumps({"Defaults": {}, **folding}))
        out = folder / "flow"
        out.mkdir()
        finn.run("backend_flow.py", model, folder / "frames.npy", out, folder / "folding.json")
        self.facts = json.loads((out / "facts.json").read_text())
        self.tensors = dict(np.load(out / "tensors.npz"))
        self.layers = [one for one in self.facts["layers"] if one["operator"].endswith("_bonn")]

    def operators(self):
        return [layer["operator"] for layer in self.facts["layers"]]


@pytest.fixture(scope="module")
def tfc(tmp_path_factory):
    images = np.random.default_rng(0).uniform(-1, 1, (FRAMES, 1, 28, 28)).astype(np.float32)
    folder = tmp_path_factory.mktemp("tfc")
    return Flow(write_tfc(folder), images, folder, FOLDING)


@pytest.fixture(scope="module")
def cnn(tmp_path_factory):
    """A small network with 8-bit input, convolutions and a pool."""
    folder = tmp_path_factory.mktemp("cnn")
    random = np.random.default_rng(0)
    images = random.uniform(-1, 1, (FRAMES, 2, 1, 1)) + random.uniform(-1, 1, (FRAMES, 2, 12, 12))
    folding = {
        "MVAU_0": {"PE": 4, "SIMD": 6},
        "MVAU_1": {"PE": 2, "SIMD": 8},
        "ConvolutionInputGenerator_1": {"SIMD": 8},
        "ConvolutionInputGenerator_2": {"SIMD": 4},
        "Pool_0": {"PE": 4},
    }
    return Flow(finn.small_cnn().write(folder), images.astype(np.float32), folder, folding)


def element(kind: str) -> Element:
    """Codes of a type of FINN's."""
    if kind in ("BINARY", "BIPOLAR"):
        return Element(0, 1)
    bits = int(kind.lstrip("UINT"))
    return (
        Element(0, 2**bits - 1)
        if kind[0] == "U"
        else Element(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    )


def answers_of_rtl(layers, values, folder, stall=None):
    """What generated modules give, one behind the other, streams as FINN connects them."""
    ends = ((layers[0], "s_axis", 0), (layers[-1], "m_axis", 1))
    source, sink = (
        Port(
            layer["folded"][side][-1],
            element(layer["kinds"][side]),
            int(np.prod(layer["folded"][side][:-1])),
        )
        for layer, _, side in ends
    )
    wide = [layer["ports"]["s_axis"][0][1] for layer in layers]
    wide.append(layers[-1]["ports"]["m_axis"][0][1])
    wires = [
        f"  wire [{bits - 1}:0] data_{place}; wire valid_{place}, ready_{place};\n"
        for place, bits in enumerate(wide)
    ]
    modules = [
        f"  {layer['name']} layer_{place} (.ap_clk(clk), .ap_rst_n(!rst),\n"
        f"    .in0_V_TDATA(data_{place}), .in0_V_TVALID(valid_{place}), "
        f".in0_V_TREADY(ready_{place}),\n"
        f"    .out0_V_TDATA(data_{place + 1}), .out0_V_TVALID(valid_{place + 1}), "
        f".out0_V_TREADY(ready_{place + 1}));\n"
        for place, layer in enumerate(layers)
    ]
    last = len(layers)
    top = f"""
module top (
  input wire clk, input wire rst,
  input wire [{source.width - 1}:0] s_axis_tdata, input wire s_axis_tvalid,
  output wire s_axis_tready,
  output wire [{sink.width - 1}:0] m_axis_tdata, output wire m_axis_tvalid,
  input wire m_axis_tready
);
  wire [2:0] probe /* verilator public_flat_rd */;
  assign probe = 3'd0;
{"".join(wires)}
  assign data_0 = s_axis_tdata;
  assign valid_0 = s_axis_tvalid;
  assign s_axis_tready = ready_0;
  assign m_axis_tdata = data_{last}[{sink.width - 1}:0];
  assign m_axis_tvalid = valid_{last};
  assign ready_{last} = m_axis_tready;
{"".join(modules)}endmodule
"""
    paths = [file for layer in layers for file in layer["files"]]
    ours = [path.split("hw_templates/")[1] for path in paths if "hw_templates/" in path]
    others = [Path(path).read_text() for path in paths if "hw_templates/" not in path]
    files = {"finn.v": "\n".join(others), "top.v": top}
    folder.mkdir(exist_ok=True)
    frames = values.reshape(len(values), -1).astype(np.int64)
    run = simulate(
        RtlProject("top", tuple(sorted(set(ours))), files, source, sink, ("layers",)),
        pack(frames, source.lanes, source.element),
        len(frames),
        folder=folder,
        stall=stall,
        timeout_cycles=100_000,
    )
    return unpack(run.outputs, sink.lanes, sink.element).reshape(len(values), -1)


@pytest.mark.parametrize("stall", [None, 1])
@pytest.mark.parametrize("network", ["tfc", "cnn"])
def test_generated_rtl_is_finns_own_execution(network, stall, request, tmp_path):
    flow = request.getfixturevalue(network)
    for layer in flow.layers:
        chain = [layer]
        if layer["operator"] == "Pool_bonn":
            # FINN's graph leaves open in which order the windows stream; FINN's own RTL tells.
            (windows,) = (one for one in flow.facts["layers"] if one["output"] == layer["input"])
            chain = [windows, layer]
        taken, given = flow.tensors[chain[0]["input"]], flow.tensors[layer["output"]]
        got = answers_of_rtl(chain, taken, tmp_path / layer["name"], stall)
        np.testing.assert_array_equal(got, given.reshape(got.shape), layer["name"])
        assert len(np.unique(given)) > 1 or (network, given.shape[1:]) == ("cnn", (1,))


def test_no_layer_of_tfc_is_left_for_hls(tfc):
    assert not [one for one in tfc.operators() if one.endswith("_hls")]
    assert tfc.operators().count("MVAU_bonn") == 4
    assert "LabelSelect_bonn" in tfc.operators()
    assert tfc.facts["left"] == {}
    assert tfc.facts["steps"][-1] == "PrepareIP"


def test_a_convolution_net_too(cnn):
    """The scales of its classes differ, which FINN computes behind the last layer."""
    left = {one for one in cnn.operators() if one.endswith("_hls")}
    assert left <= {"ElementwiseMul_hls", "ElementwiseAdd_hls"}
    assert {"MVAU_bonn", "Pool_bonn"} <= set(cnn.operators())


def test_tcl_of_each_layer(tfc):
    for layer in tfc.layers:
        *files, cell = layer["tcl"]
        assert cell == f"create_bd_cell -type module -reference {layer['name']} {layer['name']}"
        paths = [line.removeprefix("add_files -norecurse ") for line in files]
        assert paths == layer["files"]
        assert all(Path(path).is_file() for path in paths)


def test_popcounts_fit_finns_types(tfc):
    """Sums of 64 bits reach 64: FINN's own minimisation gives INT7, which ends at 63."""
    (last,) = (one for one in tfc.layers if one["name"] == "MVAU_bonn_3")
    assert last["kinds"][1] == "UINT7"
