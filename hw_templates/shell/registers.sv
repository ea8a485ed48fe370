// SPDX-License-Identifier: BSD-3-Clause
// An AXI4-Lite slave with 32-bit words. A write becomes a pulse when both address and data have
// arrived; words whose strobes are not all set are ignored. The address of a read is stable for
// three cycles before its data are sampled, which is long enough for registers in memories. Every
// access is answered OKAY.
module bonn_registers #(
  parameter int ADDRESS_BITS = 12
) (
  input  logic                    clk,
  input  logic                    rst,
  input  logic [ADDRESS_BITS-1:0] s_axi_awaddr,
  input  logic                    s_axi_awvalid,
  output logic                    s_axi_awready,
  input  logic [31:0]             s_axi_wdata,
  input  logic [3:0]              s_axi_wstrb,
  input  logic                    s_axi_wvalid,
  output logic                    s_axi_wready,
  output logic [1:0]              s_axi_bresp,
  output logic                    s_axi_bvalid,
  input  logic                    s_axi_bready,
  input  logic [ADDRESS_BITS-1:0] s_axi_araddr,
  input  logic                    s_axi_arvalid,
  output logic                    s_axi_arready,
  output logic [31:0]             s_axi_rdata,
  output logic [1:0]              s_axi_rresp,
  output logic                    s_axi_rvalid,
  input  logic                    s_axi_rready,

  output logic                    write,
  output logic [ADDRESS_BITS-3:0] write_word,
  output logic [31:0]             write_data,
  output logic [ADDRESS_BITS-3:0] read_word,
  input  logic [31:0]             read_data
);
  logic both;
  assign both = s_axi_awvalid && s_axi_wvalid && !s_axi_bvalid;
  assign s_axi_awready = both;
  assign s_axi_wready = both;
  assign write = both && &s_axi_wstrb;
  assign write_word = s_axi_awaddr[ADDRESS_BITS-1:2];
  assign write_data = s_axi_wdata;
  assign s_axi_bresp = 2'b00;
  assign s_axi_rresp = 2'b00;

  // The cycles of a read: its address is stable, the memory is read, the word is selected.
  logic [2:0] under_way_q;
  assign s_axi_arready = under_way_q == '0 && !s_axi_rvalid;
  always_ff @(posedge clk) begin
    if (rst) begin
      s_axi_bvalid <= 1'b0;
      s_axi_rvalid <= 1'b0;
      under_way_q <= '0;
    end else begin
      if (both) s_axi_bvalid <= 1'b1;
      else if (s_axi_bready) s_axi_bvalid <= 1'b0;
      under_way_q <= {under_way_q[1:0], s_axi_arvalid && s_axi_arready};
      if (under_way_q[2]) s_axi_rvalid <= 1'b1;
      else if (s_axi_rready) s_axi_rvalid <= 1'b0;
    end
    if (s_axi_arvalid && s_axi_arready) read_word <= s_axi_araddr[ADDRESS_BITS-1:2];
    if (under_way_q[2]) s_axi_rdata <= read_data;
  end
  logic unused;
  assign unused = &{1'b0, s_axi_awaddr[1:0], s_axi_araddr[1:0]};
endmodule
