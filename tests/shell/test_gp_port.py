# SPDX-License-Identifier: BSD-3-Clause
"""The bridge from a Zynq's port to our registers: bursts, identifiers, strobes, under stalls."""

import numpy as np
import pytest

from bonn_hw.bitstream.open.flow import files_folder
from bonn_hw.ir.rtl import Port, RtlProject
from bonn_hw.ir.tensor import Element
from bonn_hw.sim.run import simulate

pytestmark = pytest.mark.rtl

ADDRESS, WRITE, READ = 0, 1, 2
FIXED, INCREASING = 0, 1
# Beats are requests on one of three channels; every answer is a beat. A burst waits for the last.
LOOP = """
module top (
  input  wire clk, input wire rst,
  input  wire [63:0] s_axis_tdata, input wire s_axis_tvalid, output wire s_axis_tready,
  output wire [63:0] m_axis_tdata, output wire m_axis_tvalid, input wire m_axis_tready
);
  wire [2:0] probe /* verilator public_flat_rd */ = 3'b000;
  // channel 2, last 1, strobes 4, id 12, length 4, size 2, burst 2, then address 12 or data 32
  wire [1:0] channel = s_axis_tdata[63:62];
  wire [11:0] awaddr, araddr, bid, rid;
  wire [31:0] wdata, rdata, rdata_in;
  wire [3:0] wstrb;
  wire [1:0] bresp, bresp_in, rresp, rresp_in;
  wire awready, wready, arready, bvalid, rvalid, rlast;
  wire m_awvalid, m_awready, m_wvalid, m_wready, m_bvalid, m_bready;
  wire m_arvalid, m_arready, m_rvalid, m_rready;
  reg busy = 1'b0;
  wire offered = s_axis_tvalid && (channel == 2'd1 || !busy);
  assign s_axis_tready = channel == 2'd1 ? wready : !busy && (channel == 2'd0 ? awready : arready);
  assign m_axis_tvalid = bvalid || rvalid;
  assign m_axis_tdata = bvalid ? {1'b0, 1'b1, bresp, bid, 48'd0}
                               : {1'b1, rlast, rresp, rid, 16'd0, rdata};
  wire ends = m_axis_tvalid && m_axis_tready && (bvalid || rlast);
  always @(posedge clk)
    if (rst) busy <= 1'b0;
    else if (offered && s_axis_tready && channel != 2'd1) busy <= 1'b1;
    else if (ends) busy <= 1'b0;
  bonn_gp_port #(.ADDRESS_BITS(12), .ID_BITS(12)) port (
    .clk(clk), .rst(rst),
    .s_axi_awid(s_axis_tdata[56:45]), .s_axi_awaddr(s_axis_tdata[11:0]),
    .s_axi_awsize(s_axis_tdata[40:39]), .s_axi_awburst(s_axis_tdata[38:37]),
    .s_axi_awvalid(offered && channel == 2'd0), .s_axi_awready(awready),
    .s_axi_wdata(s_axis_tdata[31:0]), .s_axi_wstrb(s_axis_tdata[60:57]),
    .s_axi_wlast(s_axis_tdata[61]), .s_axi_wvalid(offered && channel == 2'd1),
    .s_axi_wready(wready), .s_axi_bid(bid), .s_axi_bresp(bresp), .s_axi_bvalid(bvalid),
    .s_axi_bready(m_axis_tready),
    .s_axi_arid(s_axis_tdata[56:45]), .s_axi_araddr(s_axis_tdata[11:0]),
    .s_axi_arlen(s_axis_tdata[44:41]), .s_axi_arsize(s_axis_tdata[40:39]),
    .s_axi_arburst(s_axis_tdata[38:37]), .s_axi_arvalid(offered && channel == 2'd2),
    .s_axi_arready(arready), .s_axi_rid(rid), .s_axi_rdata(rdata), .s_axi_rresp(rresp),
    .s_axi_rlast(rlast), .s_axi_rvalid(rvalid), .s_axi_rready(m_axis_tready && !bvalid),
    .m_axi_awaddr(awaddr), .m_axi_awvalid(m_awvalid), .m_axi_awready(m_awready),
    .m_axi_wdata(wdata), .m_axi_wstrb(wstrb), .m_axi_wvalid(m_wvalid), .m_axi_wready(m_wready),
    .m_axi_bresp(bresp_in), .m_axi_bvalid(m_bvalid), .m_axi_bready(m_bready),
    .m_axi_araddr(araddr), .m_axi_arvalid(m_arvalid), .m_axi_arready(m_arready),
    .m_axi_rdata(rdata_in), .m_axi_rresp(rresp_in), .m_axi_rvalid(m_rvalid),
    .m_axi_rready(m_rready)
  );
  wire write;
  wire [9:0] write_word, read_word;
  wire [31:0] write_data;
  reg [31:0] words [0:1023];
  reg [31:0] read_data;
  integer i;
  initial for (i = 0; i < 1024; i = i + 1) words[i] = i * 32'h01000193;
  always @(posedge clk) begin
    if (write) words[write_word] <= write_data;
    read_data <= words[read_word];
  end
  bonn_registers #(.ADDRESS_BITS(12)) slave (
    .clk(clk), .rst(rst),
    .s_axi_awaddr(awaddr), .s_axi_awvalid(m_awvalid), .s_axi_awready(m_awready),
    .s_axi_wdata(wdata), .s_axi_wstrb(wstrb), .s_axi_wvalid(m_wvalid), .s_axi_wready(m_wready),
    .s_axi_bresp(bresp_in), .s_axi_bvalid(m_bvalid), .s_axi_bready(m_bready),
    .s_axi_araddr(araddr), .s_axi_arvalid(m_arvalid), .s_axi_arready(m_arready),
    .s_axi_rdata(rdata_in), .s_axi_rresp(rresp_in), .s_axi_rvalid(m_rvalid),
    .s_axi_rready(m_rready),
    .write(write), .write_word(write_word), .write_data(write_data),
    .read_word(read_word), .read_data(read_data)
  );
endmodule
"""


def request(channel, last=0, strobes=0, ident=0, length=0, size=2, burst=INCREASING, low=0):
    word = channel << 62 | last << 61 | strobes << 57 | ident << 45 | (length - 1) % 16 << 41
    return word | size << 39 | burst << 37 | low


def bursts(rng, count):
    """Requests and the answers to them, of random bursts."""
    words = [(place * 0x01000193) & 0xFFFFFFFF for place in range(1024)]
    sent, answers = [], []
    for _ in range(count):
        length, ident = int(rng.integers(1, 17)), int(rng.integers(4096))
        burst, first = int(rng.integers(2)), int(rng.integers(1024))
        facts = {"ident": ident, "length": length, "burst": burst, "low": 4 * first}
        places = [(first + burst * beat) % 1024 for beat in range(length)]
        if rng.random() < 0.5:
            sent.append(request(ADDRESS, **facts))
            for beat, place in enumerate(places):
                data, strobes = int(rng.integers(1 << 32)), 15 if rng.random() < 0.9 else 7
                if strobes == 15:
                    words[place] = data
                last = int(beat == length - 1)
                sent.append(request(WRITE, last=last, strobes=strobes, low=data))
            answers.append(1 << 62 | ident << 48)
        else:
            sent.append(request(READ, **facts))
            answers += [
                1 << 63 | (beat == length - 1) << 62 | ident << 48 | words[place]
                for beat, place in enumerate(places)
            ]
    return np.array(sent, np.uint64), np.array(answers, np.uint64)


@pytest.mark.parametrize("stall", [None, 0, 1])
def test_bursts_answer_as_memory_would(tmp_path, stall):
    sent, answers = bursts(np.random.default_rng(0), 150)
    element = Element(-(1 << 31), (1 << 31) - 1)
    text = (files_folder() / "gp_port.sv").read_text()
    project = RtlProject(
        "top",
        ("shell/registers.sv",),
        {"top.v": LOOP, "gp_port.v": text},
        Port(2, element, len(sent)),
        Port(2, element, len(answers)),
        ("port",),
    )
    beats = sent.view(np.uint32).reshape(-1, 2)
    run = simulate(project, beats, 1, folder=tmp_path, timeout_cycles=1000, stall=stall)
    got = np.ascontiguousarray(run.outputs).view(np.uint64).reshape(-1)
    np.testing.assert_array_equal(got, answers)
