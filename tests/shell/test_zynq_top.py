# SPDX-License-Identifier: BSD-3-Clause
"""The open flow's whole device, its PS7 replaced: registers by AXI3, memory by the 64-bit port.

The replacement hands what the simulated board does to the PS7's ports, so that the same driver
answers through `zynq.v` and the bridge; its identifiers are checked as they come back.
"""

from dataclasses import replace

import numpy as np
import pytest

from bonn_hw import pipeline
from bonn_hw.bitstream.open.flow import files_folder
from bonn_hw.bitstream.pack import pack
from bonn_hw.board_sim import SimulatedBoard, SimulatedMachine
from bonn_hw.boards import board
from bonn_hw.driver import Accelerator, AcceleratorError
from bonn_hw.emit.system import BUS, emit_system
from tests.support.sketch import Sketch

pytestmark = pytest.mark.rtl

FROM_BOARD = [(name, bits) for name, way, bits in BUS if way == "input"]
TO_BOARD = [(name, bits) for name, way, bits in BUS if way == "output"]
OUTSIDE = "\n".join(
    [
        "package outside;",
        "  logic aclk, aresetn, irq;",
        *(f"  logic [{bits - 1}:0] {name};" for name, bits in FROM_BOARD + TO_BOARD),
        "endpackage",
        "module board (",
        "  input logic aclk, input logic aresetn, output logic interrupt,",
        *(f"  input logic [{bits - 1}:0] {name}," for name, bits in FROM_BOARD),
        ",\n".join(f"  output logic [{bits - 1}:0] {name}" for name, bits in TO_BOARD),
        ");",
        "  always_comb outside::aclk = aclk;",
        "  always_comb outside::aresetn = aresetn;",
        "  always_comb interrupt = outside::irq;",
        *(f"  always_comb outside::{name} = {name};" for name, _ in FROM_BOARD),
        *(f"  always_comb {name} = outside::{name};" for name, _ in TO_BOARD),
        "  zynq device();",
        "endmodule",
        "module BUFG(input logic I, output logic O);",
        "  assign O = I;",
        "endmodule",
    ]
)
# (port of the PS7, bits, what it is): those that memory's port shares with the board by name.
HP = [
    (f"SAXIHP0{name[6:].upper()}", name, bits)
    for name, bits in FROM_BOARD + TO_BOARD
    if name.startswith("m_axi_")
]
SHORT = {"ARLEN": 4, "AWLEN": 4, "ARSIZE": 2, "AWSIZE": 2}
PS7 = """
module PS7 (
  output logic [3:0] FCLKCLK, FCLKRESETN, input logic [19:0] IRQF2P,
  input logic MAXIGP0ACLK, SAXIHP0ACLK, SAXIHP0RDISSUECAP1EN, SAXIHP0WRISSUECAP1EN,
  output logic [11:0] MAXIGP0AWID, MAXIGP0ARID, input logic [11:0] MAXIGP0BID, MAXIGP0RID,
  output logic [31:0] MAXIGP0AWADDR, MAXIGP0WDATA, MAXIGP0ARADDR, input logic [31:0] MAXIGP0RDATA,
  output logic [3:0] MAXIGP0WSTRB, MAXIGP0ARLEN,
  output logic [1:0] MAXIGP0AWSIZE, MAXIGP0AWBURST, MAXIGP0ARSIZE, MAXIGP0ARBURST,
  input logic [1:0] MAXIGP0BRESP, MAXIGP0RRESP,
  output logic MAXIGP0AWVALID, MAXIGP0WLAST, MAXIGP0WVALID, MAXIGP0BREADY, MAXIGP0ARVALID,
  output logic MAXIGP0RREADY,
  input logic MAXIGP0AWREADY, MAXIGP0WREADY, MAXIGP0BVALID, MAXIGP0ARREADY, MAXIGP0RLAST,
  input logic MAXIGP0RVALID,
  input logic [5:0] SAXIHP0ARID, SAXIHP0AWID, SAXIHP0WID,
  input logic [1:0] SAXIHP0ARLOCK, SAXIHP0AWLOCK, input logic [3:0] SAXIHP0ARQOS, SAXIHP0AWQOS,
%s
);
  import outside::*;
  always_comb FCLKCLK = {3'b000, aclk};
  always_comb FCLKRESETN = {3'b000, aresetn};
  always_comb irq = IRQF2P[0];
  always_comb if (IRQF2P[19:1] != '0 || SAXIHP0ARID != SAXIHP0AWID || SAXIHP0WID != SAXIHP0AWID)
    $fatal(1, "constant inputs are not what they must be");

  // A write's address and data are taken one after the other here, by the board together.
  logic [11:0] id_q;
  logic address_q, data_q, busy_q;
  wire address = address_q || (MAXIGP0AWVALID && MAXIGP0AWREADY);
  wire data = data_q || (MAXIGP0WVALID && MAXIGP0WREADY);
  always_comb begin
    MAXIGP0AWADDR = 32'h40000000 | 32'(s_axi_ctrl_awaddr);
    MAXIGP0ARADDR = 32'h43C00000 | 32'(s_axi_ctrl_araddr);
    {MAXIGP0AWID, MAXIGP0ARID} = {id_q, ~id_q};
    {MAXIGP0AWSIZE, MAXIGP0ARSIZE, MAXIGP0AWBURST, MAXIGP0ARBURST} = {2'd2, 2'd2, 2'd1, 2'd1};
    {MAXIGP0ARLEN, MAXIGP0WLAST} = 5'b00001;
    MAXIGP0WDATA = s_axi_ctrl_wdata;
    MAXIGP0WSTRB = s_axi_ctrl_wstrb;
    MAXIGP0AWVALID = s_axi_ctrl_awvalid && !address_q && !busy_q;
    MAXIGP0WVALID = s_axi_ctrl_wvalid && !data_q && !busy_q;
    s_axi_ctrl_awready = address && data;
    s_axi_ctrl_wready = address && data;
    s_axi_ctrl_bvalid = MAXIGP0BVALID;
    s_axi_ctrl_bresp = MAXIGP0BRESP;
    MAXIGP0BREADY = s_axi_ctrl_bready;
    MAXIGP0ARVALID = s_axi_ctrl_arvalid;
    s_axi_ctrl_arready = MAXIGP0ARREADY;
    s_axi_ctrl_rvalid = MAXIGP0RVALID;
    s_axi_ctrl_rdata = MAXIGP0RDATA;
    s_axi_ctrl_rresp = MAXIGP0RRESP;
    MAXIGP0RREADY = s_axi_ctrl_rready;
  end
  always_ff @(posedge MAXIGP0ACLK) begin
    if (!aresetn) {address_q, data_q, busy_q, id_q} <= {3'b000, 12'hABC};
    else begin
      {address_q, data_q} <= address && data ? 2'b00 : {address, data};
      if (address && data) busy_q <= 1'b1;
      else if (MAXIGP0BVALID && MAXIGP0BREADY) busy_q <= 1'b0;
      if (MAXIGP0BVALID && MAXIGP0BREADY) id_q <= id_q + 12'd77;
      if (MAXIGP0BVALID && MAXIGP0BID != id_q) $fatal(1, "BID");
      if (MAXIGP0RVALID && (MAXIGP0RID != ~id_q || !MAXIGP0RLAST)) $fatal(1, "RID or RLAST");
    end
  end
%s
endmodule
"""


def ps7():
    ports, lines = [], []
    for port, name, bits in HP:
        inward = (name, bits) in FROM_BOARD  # from the board to our side: an output of the PS7
        width = SHORT.get(port[7:], bits)
        ports.append(f"  {'output' if inward else 'input'} logic [{width - 1}:0] {port}")
        here, there = (port, name) if inward else (name, f"{bits}'({port})")
        lines.append(f"  always_comb {here} = {there};")
    return PS7 % (",\n".join(ports), "\n".join(lines))


@pytest.fixture(scope="module")
def build(tmp_path_factory):
    folder = tmp_path_factory.mktemp("zynq")
    sketch = Sketch(2, 4, 4).quant(6, scale=0.25).sign().conv(2, 2, pads=[1] * 4)
    model = sketch.sign().flatten().few_bit_dense(32, 3).write(folder)
    target = pipeline.Target(board("pynq-z2"), 100.0, 500_000)
    pipeline.compile_model(model, target, folder / "build")
    return pipeline.Build.load(folder / "build")


@pytest.fixture(scope="module")
def device(build):
    """The simulated board around the device of the open flow."""
    project = emit_system(build.design, 100.0)
    own = {
        f"{name.partition('.')[0]}.v": (files_folder() / name).read_text()
        for name in ("zynq.v", "gp_port.sv")
    }
    files = {**project.files, **own, "a_outside.v": OUTSIDE, "ps7.v": ps7()}
    with SimulatedBoard(replace(project, top="board", files=files)) as simulated:
        yield simulated


@pytest.fixture(scope="module")
def bitstream(build, tmp_path_factory):
    folder = tmp_path_factory.mktemp("board")
    (folder / "made").mkdir()
    (folder / "made" / "a.bit").touch()
    pack(build.design, build.host, build.report, folder / "b", "a", folder / "made", 0x40000000)
    return folder / "b" / "a.bit"


def test_the_driver_answers_through_the_whole_device(build, device, bitstream):
    images = np.random.default_rng(3).normal(size=(60, 2, 4, 4)).astype(np.float32)
    expected = build.host.decode(build.design.graph.run(build.host.encode(images)))
    with Accelerator(bitstream, SimulatedMachine(device)) as accelerator:
        np.testing.assert_array_equal(accelerator.predict(images), expected)
        for seed in range(5):
            device.disturb(seed, latency=40, gaps=300)
            np.testing.assert_array_equal(accelerator.predict(images), expected)
        device.disturb(1, errors=1000)
        with pytest.raises(AcceleratorError, match="the bus answered a read"):
            accelerator.predict(images)
        device.disturb(0)
        np.testing.assert_array_equal(accelerator.predict(images), expected)
