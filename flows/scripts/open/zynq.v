// SPDX-License-Identifier: BSD-3-Clause
// The whole device for the open tools: the processing system of a Zynq-7000 and our `system`.
// Registers answer at every address of M_AXI_GP0 (0x40000000 to 0x7FFFFFFF), memory is reached by
// S_AXI_HP0 with 64 bits. Clock rates, DDR and the rest of the PS7 are the boot loader's matter.
module zynq;
  wire [3:0] fclk, fclk_resetn;
  wire clk;
  BUFG clock (.I(fclk[0]), .O(clk));

  reg [2:0] aresetn_q = 3'b000;
  always @(posedge clk) aresetn_q <= {aresetn_q[1:0], fclk_resetn[0]};
  wire aresetn = aresetn_q[2];

  wire [11:0] gp_awid, gp_bid, gp_arid, gp_rid;
  wire [31:0] gp_awaddr, gp_wdata, gp_araddr, gp_rdata;
  wire [3:0] gp_wstrb, gp_arlen;
  wire [1:0] gp_awsize, gp_awburst, gp_bresp, gp_arsize, gp_arburst, gp_rresp;
  wire gp_awvalid, gp_awready, gp_wlast, gp_wvalid, gp_wready, gp_bvalid, gp_bready;
  wire gp_arvalid, gp_arready, gp_rlast, gp_rvalid, gp_rready;

  wire [11:0] ctrl_awaddr, ctrl_araddr;
  wire [31:0] ctrl_wdata, ctrl_rdata;
  wire [3:0] ctrl_wstrb;
  wire [1:0] ctrl_bresp, ctrl_rresp;
  wire ctrl_awvalid, ctrl_awready, ctrl_wvalid, ctrl_wready, ctrl_bvalid, ctrl_bready;
  wire ctrl_arvalid, ctrl_arready, ctrl_rvalid, ctrl_rready;

  wire [31:0] hp_araddr, hp_awaddr;
  wire [63:0] hp_rdata, hp_wdata;
  wire [7:0] hp_arlen, hp_awlen, hp_wstrb;
  wire [3:0] hp_arcache, hp_awcache;
  wire [2:0] hp_arsize, hp_arprot, hp_awsize, hp_awprot;
  wire [1:0] hp_arburst, hp_rresp, hp_awburst, hp_bresp;
  wire hp_arvalid, hp_arready, hp_rlast, hp_rvalid, hp_rready, hp_awvalid, hp_awready;
  wire hp_wlast, hp_wvalid, hp_wready, hp_bvalid, hp_bready, interrupt;

  (* keep *)
  PS7 ps7 (
    .FCLKCLK(fclk), .FCLKRESETN(fclk_resetn), .IRQF2P({19'd0, interrupt}),

    .MAXIGP0ACLK(clk),
    .MAXIGP0AWID(gp_awid), .MAXIGP0AWADDR(gp_awaddr), .MAXIGP0AWSIZE(gp_awsize),
    .MAXIGP0AWBURST(gp_awburst), .MAXIGP0AWVALID(gp_awvalid), .MAXIGP0AWREADY(gp_awready),
    .MAXIGP0WDATA(gp_wdata), .MAXIGP0WSTRB(gp_wstrb), .MAXIGP0WLAST(gp_wlast),
    .MAXIGP0WVALID(gp_wvalid), .MAXIGP0WREADY(gp_wready),
    .MAXIGP0BID(gp_bid), .MAXIGP0BRESP(gp_bresp), .MAXIGP0BVALID(gp_bvalid),
    .MAXIGP0BREADY(gp_bready),
    .MAXIGP0ARID(gp_arid), .MAXIGP0ARADDR(gp_araddr), .MAXIGP0ARLEN(gp_arlen),
    .MAXIGP0ARSIZE(gp_arsize), .MAXIGP0ARBURST(gp_arburst), .MAXIGP0ARVALID(gp_arvalid),
    .MAXIGP0ARREADY(gp_arready),
    .MAXIGP0RID(gp_rid), .MAXIGP0RDATA(gp_rdata), .MAXIGP0RRESP(gp_rresp),
    .MAXIGP0RLAST(gp_rlast), .MAXIGP0RVALID(gp_rvalid), .MAXIGP0RREADY(gp_rready),

    .SAXIHP0ACLK(clk), .SAXIHP0RDISSUECAP1EN(1'b0), .SAXIHP0WRISSUECAP1EN(1'b0),
    .SAXIHP0ARID(6'd0), .SAXIHP0ARADDR(hp_araddr), .SAXIHP0ARLEN(hp_arlen[3:0]),
    .SAXIHP0ARSIZE(hp_arsize[1:0]), .SAXIHP0ARBURST(hp_arburst), .SAXIHP0ARLOCK(2'b00),
    .SAXIHP0ARCACHE(hp_arcache), .SAXIHP0ARPROT(hp_arprot), .SAXIHP0ARQOS(4'd0),
    .SAXIHP0ARVALID(hp_arvalid), .SAXIHP0ARREADY(hp_arready),
    .SAXIHP0RDATA(hp_rdata), .SAXIHP0RRESP(hp_rresp), .SAXIHP0RLAST(hp_rlast),
    .SAXIHP0RVALID(hp_rvalid), .SAXIHP0RREADY(hp_rready),
    .SAXIHP0AWID(6'd0), .SAXIHP0AWADDR(hp_awaddr), .SAXIHP0AWLEN(hp_awlen[3:0]),
    .SAXIHP0AWSIZE(hp_awsize[1:0]), .SAXIHP0AWBURST(hp_awburst), .SAXIHP0AWLOCK(2'b00),
    .SAXIHP0AWCACHE(hp_awcache), .SAXIHP0AWPROT(hp_awprot), .SAXIHP0AWQOS(4'd0),
    .SAXIHP0AWVALID(hp_awvalid), .SAXIHP0AWREADY(hp_awready),
    .SAXIHP0WID(6'd0), .SAXIHP0WDATA(hp_wdata), .SAXIHP0WSTRB(hp_wstrb),
    .SAXIHP0WLAST(hp_wlast), .SAXIHP0WVALID(hp_wvalid), .SAXIHP0WREADY(hp_wready),
    .SAXIHP0BRESP(hp_bresp), .SAXIHP0BVALID(hp_bvalid), .SAXIHP0BREADY(hp_bready)
  );

  bonn_gp_port #(.ADDRESS_BITS(12), .ID_BITS(12)) gp_port (
    .clk(clk), .rst(!aresetn),
    .s_axi_awid(gp_awid), .s_axi_awaddr(gp_awaddr[11:0]), .s_axi_awsize(gp_awsize),
    .s_axi_awburst(gp_awburst), .s_axi_awvalid(gp_awvalid), .s_axi_awready(gp_awready),
    .s_axi_wdata(gp_wdata), .s_axi_wstrb(gp_wstrb), .s_axi_wlast(gp_wlast),
    .s_axi_wvalid(gp_wvalid), .s_axi_wready(gp_wready),
    .s_axi_bid(gp_bid), .s_axi_bresp(gp_bresp), .s_axi_bvalid(gp_bvalid),
    .s_axi_bready(gp_bready),
    .s_axi_arid(gp_arid), .s_axi_araddr(gp_araddr[11:0]), .s_axi_arlen(gp_arlen),
    .s_axi_arsize(gp_arsize), .s_axi_arburst(gp_arburst), .s_axi_arvalid(gp_arvalid),
    .s_axi_arready(gp_arready),
    .s_axi_rid(gp_rid), .s_axi_rdata(gp_rdata), .s_axi_rresp(gp_rresp), .s_axi_rlast(gp_rlast),
    .s_axi_rvalid(gp_rvalid), .s_axi_rready(gp_rready),
    .m_axi_awaddr(ctrl_awaddr), .m_axi_awvalid(ctrl_awvalid), .m_axi_awready(ctrl_awready),
    .m_axi_wdata(ctrl_wdata), .m_axi_wstrb(ctrl_wstrb), .m_axi_wvalid(ctrl_wvalid),
    .m_axi_wready(ctrl_wready), .m_axi_bresp(ctrl_bresp), .m_axi_bvalid(ctrl_bvalid),
    .m_axi_bready(ctrl_bready), .m_axi_araddr(ctrl_araddr), .m_axi_arvalid(ctrl_arvalid),
    .m_axi_arready(ctrl_arready), .m_axi_rdata(ctrl_rdata), .m_axi_rresp(ctrl_rresp),
    .m_axi_rvalid(ctrl_rvalid), .m_axi_rready(ctrl_rready)
  );

  system accelerator (
    .aclk(clk), .aresetn(aresetn), .interrupt(interrupt),
    .s_axi_ctrl_awaddr(ctrl_awaddr), .s_axi_ctrl_awvalid(ctrl_awvalid),
    .s_axi_ctrl_awready(ctrl_awready), .s_axi_ctrl_wdata(ctrl_wdata),
    .s_axi_ctrl_wstrb(ctrl_wstrb), .s_axi_ctrl_wvalid(ctrl_wvalid),
    .s_axi_ctrl_wready(ctrl_wready), .s_axi_ctrl_bresp(ctrl_bresp),
    .s_axi_ctrl_bvalid(ctrl_bvalid), .s_axi_ctrl_bready(ctrl_bready),
    .s_axi_ctrl_araddr(ctrl_araddr), .s_axi_ctrl_arvalid(ctrl_arvalid),
    .s_axi_ctrl_arready(ctrl_arready), .s_axi_ctrl_rdata(ctrl_rdata),
    .s_axi_ctrl_rresp(ctrl_rresp), .s_axi_ctrl_rvalid(ctrl_rvalid),
    .s_axi_ctrl_rready(ctrl_rready),
    .m_axi_araddr(hp_araddr), .m_axi_arlen(hp_arlen), .m_axi_arsize(hp_arsize),
    .m_axi_arburst(hp_arburst), .m_axi_arcache(hp_arcache), .m_axi_arprot(hp_arprot),
    .m_axi_arvalid(hp_arvalid), .m_axi_arready(hp_arready), .m_axi_rdata(hp_rdata),
    .m_axi_rresp(hp_rresp), .m_axi_rlast(hp_rlast), .m_axi_rvalid(hp_rvalid),
    .m_axi_rready(hp_rready), .m_axi_awaddr(hp_awaddr), .m_axi_awlen(hp_awlen),
    .m_axi_awsize(hp_awsize), .m_axi_awburst(hp_awburst), .m_axi_awcache(hp_awcache),
    .m_axi_awprot(hp_awprot), .m_axi_awvalid(hp_awvalid), .m_axi_awready(hp_awready),
    .m_axi_wdata(hp_wdata), .m_axi_wstrb(hp_wstrb), .m_axi_wlast(hp_wlast),
    .m_axi_wvalid(hp_wvalid), .m_axi_wready(hp_wready), .m_axi_bresp(hp_bresp),
    .m_axi_bvalid(hp_bvalid), .m_axi_bready(hp_bready)
  );
endmodule
