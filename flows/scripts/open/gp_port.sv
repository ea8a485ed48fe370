// SPDX-License-Identifier: BSD-3-Clause
// A general-purpose port of the Zynq-7000 (AXI3, UG585 chapter 5) to AXI4-Lite: one read and one
// write at a time, each beat of a burst an access of its own. Wrapping bursts, which processors make
// for cached memory only, count upwards here. Identifiers come back as they were sent. A processor
// that asks during reset waits for its end.
module bonn_gp_port #(
  parameter int ADDRESS_BITS = 12,
  parameter int ID_BITS = 12
) (
  input  logic                    clk,
  input  logic                    rst,

  input  logic [ID_BITS-1:0]      s_axi_awid,
  input  logic [ADDRESS_BITS-1:0] s_axi_awaddr,
  input  logic [1:0]              s_axi_awsize,
  input  logic [1:0]              s_axi_awburst,
  input  logic                    s_axi_awvalid,
  output logic                    s_axi_awready,
  input  logic [31:0]             s_axi_wdata,
  input  logic [3:0]              s_axi_wstrb,
  input  logic                    s_axi_wlast,
  input  logic                    s_axi_wvalid,
  output logic                    s_axi_wready,
  output logic [ID_BITS-1:0]      s_axi_bid,
  output logic [1:0]              s_axi_bresp,
  output logic                    s_axi_bvalid,
  input  logic                    s_axi_bready,
  input  logic [ID_BITS-1:0]      s_axi_arid,
  input  logic [ADDRESS_BITS-1:0] s_axi_araddr,
  input  logic [3:0]              s_axi_arlen,
  input  logic [1:0]              s_axi_arsize,
  input  logic [1:0]              s_axi_arburst,
  input  logic                    s_axi_arvalid,
  output logic                    s_axi_arready,
  output logic [ID_BITS-1:0]      s_axi_rid,
  output logic [31:0]             s_axi_rdata,
  output logic [1:0]              s_axi_rresp,
  output logic                    s_axi_rlast,
  output logic                    s_axi_rvalid,
  input  logic                    s_axi_rready,

  output logic [ADDRESS_BITS-1:0] m_axi_awaddr,
  output logic                    m_axi_awvalid,
  input  logic                    m_axi_awready,
  output logic [31:0]             m_axi_wdata,
  output logic [3:0]              m_axi_wstrb,
  output logic                    m_axi_wvalid,
  input  logic                    m_axi_wready,
  input  logic [1:0]              m_axi_bresp,
  input  logic                    m_axi_bvalid,
  output logic                    m_axi_bready,
  output logic [ADDRESS_BITS-1:0] m_axi_araddr,
  output logic                    m_axi_arvalid,
  input  logic                    m_axi_arready,
  input  logic [31:0]             m_axi_rdata,
  input  logic [1:0]              m_axi_rresp,
  input  logic                    m_axi_rvalid,
  output logic                    m_axi_rready
);
  typedef enum logic [1:0] {Idle, Beat, Answer, Done} state_t;

  // Writes. A burst's addresses are 2 ** size bytes apart, or all the same (FIXED).
  state_t write_q;
  logic [ADDRESS_BITS-1:0] write_stride_q;
  logic address_gone_q, data_gone_q, address_gone, data_gone, beat_gone, last_q;
  assign s_axi_awready = write_q == Idle && !rst;
  assign m_axi_awvalid = write_q == Beat && s_axi_wvalid && !address_gone_q;
  assign m_axi_wvalid = write_q == Beat && s_axi_wvalid && !data_gone_q;
  assign m_axi_wdata = s_axi_wdata;
  assign m_axi_wstrb = s_axi_wstrb;
  assign address_gone = address_gone_q || (m_axi_awvalid && m_axi_awready);
  assign data_gone = data_gone_q || (m_axi_wvalid && m_axi_wready);
  assign beat_gone = address_gone && data_gone;
  assign s_axi_wready = beat_gone;
  assign m_axi_bready = write_q == Answer;
  assign s_axi_bvalid = write_q == Done;
  always_ff @(posedge clk) begin
    case (write_q)
      Idle: if (s_axi_awvalid) write_q <= Beat;
      Beat: if (beat_gone) write_q <= Answer;
      Answer: if (m_axi_bvalid) write_q <= last_q ? Done : Beat;
      default: if (s_axi_bready) write_q <= Idle;
    endcase
    address_gone_q <= address_gone && !beat_gone;
    data_gone_q <= data_gone && !beat_gone;
    if (write_q == Idle) begin
      m_axi_awaddr <= s_axi_awaddr;
      write_stride_q <= s_axi_awburst == '0 ? '0 : ADDRESS_BITS'(1) << s_axi_awsize;
      s_axi_bid <= s_axi_awid;
      s_axi_bresp <= '0;
    end
    if (beat_gone) last_q <= s_axi_wlast;
    if (m_axi_bvalid && m_axi_bready) begin
      m_axi_awaddr <= m_axi_awaddr + write_stride_q;
      s_axi_bresp <= s_axi_bresp | m_axi_bresp;
    end
    if (rst) begin
      write_q <= Idle;
      address_gone_q <= 1'b0;
      data_gone_q <= 1'b0;
    end
  end

  // Reads.
  state_t read_q;
  logic [ADDRESS_BITS-1:0] read_stride_q;
  logic [3:0] left_q;
  assign s_axi_arready = read_q == Idle && !rst;
  assign m_axi_arvalid = read_q == Beat;
  assign s_axi_rvalid = read_q == Answer && m_axi_rvalid;
  assign m_axi_rready = read_q == Answer && s_axi_rready;
  assign s_axi_rdata = m_axi_rdata;
  assign s_axi_rresp = m_axi_rresp;
  assign s_axi_rlast = left_q == '0;
  always_ff @(posedge clk) begin
    case (read_q)
      Idle: if (s_axi_arvalid) read_q <= Beat;
      Beat: if (m_axi_arready) read_q <= Answer;
      default: if (s_axi_rvalid && s_axi_rready) read_q <= s_axi_rlast ? Idle : Beat;
    endcase
    if (read_q == Idle) begin
      m_axi_araddr <= s_axi_araddr;
      read_stride_q <= s_axi_arburst == '0 ? '0 : ADDRESS_BITS'(1) << s_axi_arsize;
      left_q <= s_axi_arlen;
      s_axi_rid <= s_axi_arid;
    end
    if (s_axi_rvalid && s_axi_rready) begin
      m_axi_araddr <= m_axi_araddr + read_stride_q;
      left_q <= left_q - 4'd1;
    end
    if (rst) read_q <= Idle;
  end
endmodule
