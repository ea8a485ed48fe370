// SPDX-License-Identifier: BSD-3-Clause
// A processor and a memory around `bonn_shell`, and an accelerator in it that adds. Memory pauses
// on every channel as much as PAUSE says, of 8 cycles; what docs/shell.md promises of registers,
// answers, counters, errors, resets and the watchdog is looked at. Ends with "PASSED".
module shell_bench;
  localparam int Beats = 10, InWords = 2, Streams = 3, Words = 2048;
  localparam logic [127:0] Hash = 128'h0f1e2d3c4b5a69788796a5b4c3d2e1f0;
  localparam logic [11:0] Control = 'h40, Status = 'h44, Interrupt = 'h48, Errors = 'h4c;
  localparam logic [11:0] InAddress = 'h50, OutAddress = 'h58, Frames = 'h60, Watchdog = 'h64;
  localparam logic [11:0] FramesIn = 'h68, FramesOut = 'h6c, Cycles = 'h70, CyclesHigh = 'h74;
  localparam logic [11:0] First = 'h78, Last = 'h7c, Stalled = 'h80, Stream = 'h400;

  logic clk = 1'b0, aresetn = 1'b0;
  always #5 clk = !clk;

  // Registers.
  logic [11:0] awaddr = '0, araddr = '0;
  logic awvalid = 1'b0, wvalid = 1'b0, bready = 1'b0, arvalid = 1'b0, rready = 1'b0;
  logic awready, wready, bvalid, arready, rvalid, interrupt;
  logic [31:0] wdata = '0, rdata;
  logic [3:0] wstrb = '1;
  logic [1:0] bresp, rresp;
  // Memory.
  logic [31:0] m_araddr, m_awaddr;
  logic [7:0] m_arlen, m_awlen, m_wstrb;
  logic [2:0] m_arsize, m_awsize, m_arprot, m_awprot;
  logic [1:0] m_arburst, m_awburst, m_rresp, m_bresp;
  logic [3:0] m_arcache, m_awcache;
  logic m_arvalid, m_arready, m_rlast, m_rvalid, m_rready, m_awvalid, m_awready;
  logic m_wlast, m_wvalid, m_wready, m_bvalid, m_bready;
  logic [63:0] m_rdata, m_wdata;
  // Accelerator.
  logic accelerator_rst, in_tvalid, in_tready, out_tvalid, out_tready;
  logic [3:0] in_tdata;
  logic [11:0] out_tdata;
  logic [Streams-1:0] watch_valid, watch_ready;

  bonn_shell #(
    .IN_BITS(4), .IN_SLOT(1), .IN_BEATS(Beats), .IN_WORDS(InWords), .OUT_BITS(12), .OUT_SLOT(2),
    .OUT_BEATS(3), .OUT_WORDS(1), .STREAMS(Streams), .CLOCK_KHZ(125000), .HASH(Hash)
  ) shell (
    .aclk(clk), .aresetn,
    .s_axi_ctrl_awaddr(awaddr), .s_axi_ctrl_awvalid(awvalid), .s_axi_ctrl_awready(awready),
    .s_axi_ctrl_wdata(wdata), .s_axi_ctrl_wstrb(wstrb), .s_axi_ctrl_wvalid(wvalid),
    .s_axi_ctrl_wready(wready), .s_axi_ctrl_bresp(bresp), .s_axi_ctrl_bvalid(bvalid),
    .s_axi_ctrl_bready(bready), .s_axi_ctrl_araddr(araddr), .s_axi_ctrl_arvalid(arvalid),
    .s_axi_ctrl_arready(arready), .s_axi_ctrl_rdata(rdata), .s_axi_ctrl_rresp(rresp),
    .s_axi_ctrl_rvalid(rvalid), .s_axi_ctrl_rready(rready),
    .m_axi_araddr(m_araddr), .m_axi_arlen(m_arlen), .m_axi_arsize(m_arsize),
    .m_axi_arburst(m_arburst), .m_axi_arcache(m_arcache), .m_axi_arprot(m_arprot),
    .m_axi_arvalid(m_arvalid), .m_axi_arready(m_arready), .m_axi_rdata(m_rdata),
    .m_axi_rresp(m_rresp), .m_axi_rlast(m_rlast), .m_axi_rvalid(m_rvalid),
    .m_axi_rready(m_rready), .m_axi_awaddr(m_awaddr), .m_axi_awlen(m_awlen),
    .m_axi_awsize(m_awsize), .m_axi_awburst(m_awburst), .m_axi_awcache(m_awcache),
    .m_axi_awprot(m_awprot), .m_axi_awvalid(m_awvalid), .m_axi_awready(m_awready),
    .m_axi_wdata(m_wdata), .m_axi_wstrb(m_wstrb), .m_axi_wlast(m_wlast),
    .m_axi_wvalid(m_wvalid), .m_axi_wready(m_wready), .m_axi_bresp(m_bresp),
    .m_axi_bvalid(m_bvalid), .m_axi_bready(m_bready), .interrupt_out(interrupt),
    .accelerator_rst, .in_tdata, .in_tvalid, .in_tready, .out_tdata, .out_tvalid, .out_tready,
    .watch_valid, .watch_ready
  );

  int pause = 0;
  logic [31:0] random_q = 32'h2545f491;
  // With a pace, all channels and the accelerator move in one of so many cycles only.
  int pace = 1, turn_q = 0;
  logic turn;
  assign turn = turn_q == 0;
  always @(posedge clk) turn_q <= turn_q + 1 >= pace ? 0 : turn_q + 1;
  function automatic logic goes(input int place);
    goes = turn && 3'(random_q >> place) >= 3'(pause);
  endfunction

  // The accelerator: beat k of an answer is (k + 1) times the sum over all (i + 1) * beat i.
  logic frozen = 1'b0, watched = 1'b1;
  int beat_q = 0, answer_q = 3;
  logic [11:0] sum_q = '0;
  assign in_tready = answer_q == 3 && (random_q[30] || pace > 1) && turn && !frozen;
  assign out_tvalid = answer_q < 3 && turn;
  assign out_tdata = out_tvalid ? 12'(sum_q * (answer_q + 1)) : 'x;
  assign watch_valid = watched ? {out_tvalid, out_tvalid && random_q[29], in_tvalid} : '0;
  assign watch_ready = {out_tready, random_q[28] && !frozen, in_tready};
  always @(posedge clk) begin
    random_q <= {random_q[30:0], random_q[31] ^ random_q[21] ^ random_q[1] ^ random_q[0]};
    if (accelerator_rst) begin
      beat_q <= 0;
      answer_q <= 3;
    end else if (in_tvalid && in_tready) begin
      sum_q <= (beat_q == 0 ? 12'd0 : sum_q) + 12'((beat_q + 1) * in_tdata);
      beat_q <= beat_q == Beats - 1 ? 0 : beat_q + 1;
      if (beat_q == Beats - 1) answer_q <= 0;
    end else if (out_tvalid && out_tready) begin
      answer_q <= answer_q + 1;
    end
  end

  // The memory: bursts in order, answers late; errors from one word on for reads, at one for writes.
  logic [63:0] memory[Words];
  int bad_read = -1, bad_write = -1;
  int reads[64], read_lengths[64], writes[64], write_lengths[64];
  int read_head = 0, read_tail = 0, read_beat = 0;
  int write_head = 0, write_tail = 0, write_beat = 0, answers = 0, bad_answers = 0;
  logic r_offered = 1'b0, b_offered = 1'b0, failing = 1'b0;
  logic [43:0] ar_q, aw_q;
  logic ar_waits = 1'b0, aw_waits = 1'b0, w_waits = 1'b0;
  logic [72:0] w_q;
  int read_word, write_word;
  assign read_word = reads[read_tail % 64] + read_beat;
  assign write_word = writes[write_tail % 64] + write_beat;
  assign m_arready = goes(0) && read_head - read_tail < 8;
  assign m_awready = goes(3) && write_head - write_tail < 8;
  assign m_wready = goes(6) && write_head != write_tail;
  assign m_rvalid = r_offered;
  assign m_rdata = r_offered ? memory[read_word] : 'x;
  assign m_rlast = r_offered ? read_beat == read_lengths[read_tail % 64] : 1'bx;
  assign m_rresp = !r_offered ? 'x : bad_read >= 0 && read_word >= bad_read ? 2'b10 : 2'b00;
  assign m_bvalid = b_offered;
  assign m_bresp = !b_offered ? 'x : bad_answers == 1 ? 2'b11 : 2'b00;

  task automatic burst(input logic [31:0] address, input logic [7:0] length);
    if (address[2:0] != '0 || length > 15 || address[11:3] + length > 511) begin
      $fatal(1, "FAILED: a burst of %0d words at %h", length + 1, address);
    end
  endtask

  // What a clock does to the memory shows a little later, when the shell has seen what was before.
  logic ar, r, aw, w, b, wlast;
  logic [63:0] word;
  always @(posedge clk) if (aresetn) begin
    if ((^{m_arvalid, m_awvalid, m_wvalid, m_rready, m_bready, interrupt}) === 1'bx) begin
      $fatal(1, "FAILED: an unknown handshake");
    end
    if (m_arvalid && {m_arsize, m_arburst, m_arcache, m_arprot} !== {3'd3, 2'b01, 4'b0011, 3'd0})
      $fatal(1, "FAILED: the kind of a read");
    if (m_awvalid && {m_awsize, m_awburst, m_awcache, m_awprot} !== {3'd3, 2'b01, 4'b0011, 3'd0})
      $fatal(1, "FAILED: the kind of a write");
    if (m_rvalid && !m_rready) $fatal(1, "FAILED: there is no room for a word that was asked for");
    if (ar_waits && {m_arvalid, m_araddr, m_arlen} !== {1'b1, ar_q[39:0]})
      $fatal(1, "FAILED: a read changes before it is accepted");
    if (aw_waits && {m_awvalid, m_awaddr, m_awlen} !== {1'b1, aw_q[39:0]})
      $fatal(1, "FAILED: a write changes before it is accepted");
    if (w_waits && {m_wvalid, m_wlast, m_wstrb, m_wdata} !== {1'b1, w_q})
      $fatal(1, "FAILED: a word changes before it is taken");
    ar_waits <= m_arvalid && !m_arready;
    aw_waits <= m_awvalid && !m_awready;
    w_waits <= m_wvalid && !m_wready;
    ar_q <= 44'({m_araddr, m_arlen});
    aw_q <= 44'({m_awaddr, m_awlen});
    w_q <= {m_wlast, m_wstrb, m_wdata};
    if (m_wvalid && m_wready && m_wstrb !== '1) $fatal(1, "FAILED: strobes %b", m_wstrb);
    if (m_wvalid && m_wready && m_wlast !== (write_beat == write_lengths[write_tail%64]))
      $fatal(1, "FAILED: wlast");
    {ar, aw} = {m_arvalid && m_arready, m_awvalid && m_awready};
    {r, w, b} = {m_rvalid && m_rready, m_wvalid && m_wready, m_bvalid && m_bready};
    {word, wlast} = {m_wdata, m_wlast};
    #1;
    if (ar) begin
      burst(ar_q[39:8], ar_q[7:0]);
      reads[read_head%64] = ar_q[39:11];
      read_lengths[read_head%64] = ar_q[7:0];
      read_head = read_head + 1;
    end
    if (r) begin
      r_offered = 1'b0;
      read_beat = read_beat + 1;
      if (read_beat > read_lengths[read_tail%64]) begin
        read_beat = 0;
        read_tail = read_tail + 1;
      end
    end
    if (read_head != read_tail && goes(9)) r_offered = 1'b1;
    if (aw) begin
      burst(aw_q[39:8], aw_q[7:0]);
      writes[write_head%64] = aw_q[39:11];
      write_lengths[write_head%64] = aw_q[7:0];
      write_head = write_head + 1;
    end
    if (b) begin
      b_offered = 1'b0;
      answers = answers - 1;
      if (bad_answers > 0) bad_answers = bad_answers - 1;
    end
    if (w) begin
      memory[write_word] = word;
      if (write_word == bad_write) failing = 1'b1;
      write_beat = write_beat + 1;
      if (wlast) begin
        write_beat = 0;
        write_tail = write_tail + 1;
        answers = answers + 1;
        if (failing) bad_answers = answers;
        failing = 1'b0;
      end
    end
    if (answers != 0 && goes(12)) b_offered = 1'b1;
  end

  // What the counters of a run should say. Streams are counted a cycle later.
  logic [Streams-1:0] valid_q, ready_q;
  int waiting[Streams], empty[Streams], run_cycles = 0, first = 0, last = 0, left = 0;
  always @(posedge clk) begin
    if (shell.begins) begin
      {run_cycles, first, last, left} = '0;
      for (int i = 0; i < Streams; i++) {waiting[i], empty[i]} = '0;
    end else if (shell.running) begin
      if (out_tvalid && out_tready && answer_q == 2) begin
        last = run_cycles;
        if (left == 0) first = run_cycles;
        left = left + 1;
      end
      run_cycles = run_cycles + 1;
    end
    if (shell.running) begin
      for (int i = 0; i < Streams; i++) begin
        if (valid_q[i] && !ready_q[i]) waiting[i] = waiting[i] + 1;
        if (!valid_q[i] && ready_q[i]) empty[i] = empty[i] + 1;
      end
    end
    valid_q <= watch_valid;
    ready_q <= watch_ready;
  end

  task automatic cycles(input int count);
    repeat (count) @(negedge clk);
  endtask

  task automatic write(input logic [11:0] address, input logic [31:0] data,
                       input logic [3:0] strobes = 4'hf);
    {awaddr, wdata, wstrb} = {address, data, strobes};
    awvalid = 1'b1;
    if (random_q[5]) cycles(random_q[7:6]);  // the data later than the address, or with it
    if (awready) $fatal(1, "FAILED: an address is accepted without its data");
    wvalid = 1'b1;
    #1;
    while (!(awready && wready)) cycles(1);
    cycles(1);
    {awvalid, wvalid} = '0;
    cycles(random_q[9:8]);
    if (!bvalid || bresp !== 2'b00) $fatal(1, "FAILED: a write of %h is not answered", address);
    bready = 1'b1;
    cycles(1);
    bready = 1'b0;
    if (bvalid) $fatal(1, "FAILED: the answer to a write stays");
  endtask

  // Another read may wait behind a read: its address must not be taken for the first one's.
  logic [31:0] got;
  task automatic read(input logic [11:0] address);
    logic follows;
    follows = random_q[10];
    araddr = address;
    arvalid = 1'b1;
    while (!arready) cycles(1);
    cycles(1);
    arvalid = follows;
    araddr = follows ? address ^ 'h0fc : 'x;
    while (!rvalid) begin
      if (arready) $fatal(1, "FAILED: a read is accepted during another");
      cycles(1);
    end
    got = rdata;
    cycles(random_q[9:8]);
    if (!rvalid || rdata !== got || rresp !== 2'b00 || arready) $fatal(1, "FAILED: data change");
    rready = 1'b1;
    cycles(1);
    rready = 1'b0;
    if (rvalid) $fatal(1, "FAILED: the data of a read stay");
    if (follows) begin
      cycles(1);
      arvalid = 1'b0;
      while (!rvalid) cycles(1);
      rready = 1'b1;
      cycles(1);
      rready = 1'b0;
    end
  endtask

  task automatic reads_as(input logic [11:0] address, input logic [31:0] expected,
                          input string what);
    read(address);
    if (got !== expected) begin
      $fatal(1, "FAILED: %s: register %h is %h, not %h", what, address, got, expected);
    end
  endtask

  function automatic logic [7:0] octet(input int seed, input int i);
    // Frames that are 16 apart differ too: the queue of the reader holds 32.
    octet = 8'(seed * 7 + 37 * i * i + 11 * i + (seed / 16) * (3 * i + 5));
  endfunction

  function automatic logic [63:0] answer(input int seed);
    logic [11:0] sum;
    logic [7:0] one;
    sum = '0;
    for (int i = 0; i < Beats; i++) begin
      one = octet(seed, i);
      sum = sum + 12'((i + 1) * one[3:0]);
    end
    answer = {16'd0, 4'd0, 12'(sum * 3), 4'd0, 12'(sum * 2), 4'd0, sum};
  endfunction

  // Frames and a guard around their answers, then all but the start.
  task automatic prepare(input int from, input int to, input int frames);
    for (int i = 0; i < Words; i++) memory[i] = {2{32'(i * 77) ^ 32'h5a5a5a5a}};
    for (int f = 0; f < frames; f++)
      for (int i = 0; i < 8 * InWords; i++) memory[from/8+f*InWords+i/8][8*(i%8)+:8] = octet(f, i);
    write(InAddress, from);
    write(OutAddress, to);
    write(Frames, frames);
  endtask

  task automatic ended(input logic [3:0] status, input string what);
    got = 1;
    for (int i = 0; i < 2000 && got[0]; i++) read(Status);
    if (got !== 32'(status)) $fatal(1, "FAILED: %s: status %b, not %b", what, got[3:0], status);
  endtask

  task automatic right(input int to, input int frames, input string what);
    ended(4'b0010, what);
    for (int f = -1; f <= frames; f++) begin
      if (f < 0 || f == frames) begin
        if (memory[to/8+f] !== {2{32'((to / 8 + f) * 77) ^ 32'h5a5a5a5a}})
          $fatal(1, "FAILED: %s: memory around the answers", what);
      end else if (memory[to/8+f] !== answer(f)) begin
        $fatal(1, "FAILED: %s: frame %0d is %h, not %h", what, f, memory[to/8+f], answer(f));
      end
    end
    reads_as(FramesIn, frames, what);
    reads_as(FramesOut, frames, what);
    reads_as(Cycles, run_cycles, what);
    reads_as(CyclesHigh, 0, what);
    reads_as(First, first, what);
    reads_as(Last, last, what);
    reads_as(Errors, 0, what);
    reads_as(Stalled, '1, what);
    for (int i = 0; i < Streams; i++) begin
      reads_as(Stream + 8 * i, waiting[i], what);
      reads_as(Stream + 8 * i + 4, empty[i], what);
    end
    reads_as(Stream + 8 * Streams, 0, what);
    reads_as(Stream + 8 * Streams + 4, 0, what);
  endtask

  task automatic run(input int from, input int to, input int frames, input string what);
    prepare(from, to, frames);
    write(Control, 1);
    right(to, frames, what);
  endtask

  task automatic constants;
    reads_as('h00, 32'h424f4e4e, "magic");
    reads_as('h04, 1, "interface");
    for (int i = 0; i < 4; i++) reads_as('h08 + 4 * i, Hash[32*(3-i)+:32], "hash");
    reads_as('h18, Beats, "beats");
    reads_as('h1c, 3, "beats");
    reads_as('h20, 1, "slots");
    reads_as('h24, 2, "slots");
    reads_as('h28, 8 * InWords, "bytes");
    reads_as('h2c, 8, "bytes");
    reads_as('h30, Streams, "streams");
    reads_as('h34, 125000, "clock");
    reads_as('h38, 0, "nothing");
    reads_as('h3c, 0, "nothing");
    reads_as(Control, 0, "control");
    reads_as('h54, 0, "nothing");
    reads_as('h84, 0, "nothing");
    reads_as('h100, 0, "nothing");
    reads_as('h2c0, 0, "nothing");
  endtask

  task automatic registers;
    reads_as(Frames, 1, "after the reset");
    reads_as(Watchdog, 0, "after the reset");
    reads_as(Interrupt, 0, "after the reset");
    write(InAddress, 32'h12345678);
    write(OutAddress, 32'h9abcdef0);
    write(Frames, 32'h13579bdf);
    write(Watchdog, 32'h2468ace0);
    write(Interrupt, 32'hffffffff);
    write(InAddress, '1, 4'b0111);  // ignored, like what cannot be written
    write(Watchdog, '0, 4'b1110);
    write('h08, 5);
    write(Status, 5);
    reads_as(InAddress, 32'h12345678, "written");
    reads_as(OutAddress, 32'h9abcdef0, "written");
    reads_as(Frames, 32'h13579bdf, "written");
    reads_as(Watchdog, 32'h2468ace0, "written");
    reads_as(Interrupt, 1, "written");
    reads_as('h08, Hash[127:96], "not written");
    write(Interrupt, 0);
    write(Watchdog, 0);
  endtask

  task automatic refused(input int from, input int to, input int frames, input string what);
    prepare(8, 16, 1);
    write(InAddress, from);
    write(OutAddress, to);
    write(Frames, frames);
    write(Control, 1);
    reads_as(Status, 4'b0010, what);  // done as before
    reads_as(Errors, 8, what);
    write(Errors, 7);
    reads_as(Errors, 8, what);
    write(Errors, 8);
    reads_as(Errors, 0, what);
  endtask

  initial begin
    cycles(4);
    aresetn = 1'b1;
    cycles(30);
    if (interrupt !== 1'b0) $fatal(1, "FAILED: an interrupt after the reset");
    reads_as(Status, 0, "after the reset");
    constants;
    registers;
    for (pause = 0; pause < 8; pause += 2) begin
      run('h1000 - 64, 'h3000 - 8, 1, "one frame");
      run('h1000 - 24, 'h3000 - 16, 9, "pages");
      run('h800, 'h2000, 40, "many frames");
    end
    pause = 3;
    write(Interrupt, 1);
    if (interrupt !== 1'b1) $fatal(1, "FAILED: no interrupt of the run before");
    prepare('h800, 'h2000, 5);
    write(Control, 1);
    if (interrupt !== 1'b0) $fatal(1, "FAILED: the interrupt stays after a start");
    reads_as(Status, 4'b0001, "busy");
    cycles(20);
    write(Control, 1);  // refused; the run goes on
    write(InAddress, 0);
    write(OutAddress, 0);
    write(Frames, 99);
    reads_as(Errors, 8, "a start while busy");
    write(Errors, 8);
    right('h2000, 5, "the next run is prepared");
    if (interrupt !== 1'b1) $fatal(1, "FAILED: no interrupt");
    write(Interrupt, 0);
    if (interrupt !== 1'b0) $fatal(1, "FAILED: an interrupt that is not enabled");
    refused('h804, 'h2000, 1, "an input between words");
    refused('h800, 'h2001, 1, "an output between words");
    refused('h800, 'h2000, 0, "no frames");
    run('h800, 'h2000, 2, "after what was refused");
    // Errors of the bus, in several places of a run.
    write(Interrupt, 1);
    for (int place = 0; place < 60; place += 13) begin
      bad_read = 'h800 / 8 + place;
      prepare('h800, 'h2000, 40);
      write(Control, 1);
      ended(4'b0100, "a read fails");
      reads_as(Errors, 1, "a read fails");
      if (interrupt !== 1'b1) $fatal(1, "FAILED: no interrupt of an error");
      bad_read = -1;
      run('h800, 'h2000, 3, "after a read that failed");
      bad_write = 'h2000 / 8 + place / 2;
      prepare('h800, 'h2000, 40);
      write(Control, 1);
      ended(4'b0100, "a write fails");
      reads_as(Errors, 2, "a write fails");
      bad_write = -1;
      run('h800, 'h2000, 3, "after a write that failed");
    end
    write(Interrupt, 0);
    // Resets at any time; both bits at once are a reset.
    for (int wait_ = 0; wait_ < 220; wait_ += 19) begin
      pause = wait_ % 7;
      prepare('h800, 'h2000, 40);
      write(Control, 1);
      cycles(wait_);
      write(Control, wait_ % 2 == 0 ? 2 : 3);
      read(Status);
      if (got[2:1] !== 2'b00) $fatal(1, "FAILED: a reset: status %b", got[3:0]);
      for (int i = 0; i < 2000 && got[3:0] != 0; i++) begin
        if (got[3] !== 1'b1) $fatal(1, "FAILED: a reset under way: status %b", got[3:0]);
        read(Status);
      end
      if (got !== 0) $fatal(1, "FAILED: a reset does not end: status %b", got[3:0]);
      if (read_head != read_tail || write_head != write_tail || answers != 0)
        $fatal(1, "FAILED: a reset leaves bursts under way");
      run('h800, 'h2000, 3, "after a reset");
    end
    // A read that fails while a reset waits for it is told.
    pause = 6;
    prepare('h800, 'h2000, 40);
    write(Control, 1);
    cycles(60);
    write(Control, 2);
    bad_read = 0;
    if (read_head == read_tail) $fatal(1, "FAILED: no read is under way");
    got = 8;
    for (int i = 0; i < 2000 && got[3]; i++) read(Status);
    if (got !== 4'b0100) $fatal(1, "FAILED: a read fails in a reset: status %b", got[3:0]);
    reads_as(Errors, 1, "a read fails in a reset");
    bad_read = -1;
    run('h800, 'h2000, 3, "after a read that failed in a reset");
    // The watchdog: not while anything moves, and exactly then.
    pause = 0;
    write(Watchdog, 40);
    run('h800, 'h2000, 40, "with a watchdog");
    prepare('h800, 'h2000, 40);
    write(Control, 1);
    cycles(150);
    frozen = 1'b1;
    ended(4'b0100, "the watchdog");
    reads_as(Errors, 4, "the watchdog");
    reads_as(Stalled, 0, "the watchdog");
    reads_as(Cycles, run_cycles, "the watchdog");
    frozen = 1'b0;
    run('h800, 'h2000, 3, "after the watchdog");
    // More words than there is room for wait for the accelerator, as long as it takes.
    frozen = 1'b1;
    write(Watchdog, 0);
    prepare('h800, 'h2000, 40);
    write(Control, 1);
    cycles(1000);
    reads_as(Status, 4'b0001, "no watchdog");
    frozen = 1'b0;
    right('h2000, 40, "no watchdog");
    // Each movement counts, alone for longer than the watchdog waits: beats in and out, words read.
    watched = 1'b0;
    pace = 30;
    write(Watchdog, 70);
    run('h800, 'h2000, 1, "beats that no stream shows");
    frozen = 1'b1;
    prepare('h800, 'h2000, 20);
    write(Control, 1);
    cycles(400);
    reads_as(Status, 4'b0001, "words are read");
    frozen = 1'b0;
    pace = 1;
    right('h2000, 20, "words are read");
    watched = 1'b1;
    // The bus resets everything.
    prepare('h800, 'h2000, 40);
    write(Control, 1);
    cycles(100);
    aresetn = 1'b0;
    cycles(2);
    {read_head, read_tail, read_beat, write_head, write_tail, write_beat, answers} = '0;
    {r_offered, b_offered, ar_waits, aw_waits, w_waits} = '0;
    cycles(2);
    aresetn = 1'b1;
    reads_as(Status, 4'b1001, "after the reset of the bus");
    cycles(30);
    registers;
    run('h800, 'h2000, 3, "after the reset of the bus");
    $display("PASSED: all of the shell");
    $finish;
  end
endmodule
