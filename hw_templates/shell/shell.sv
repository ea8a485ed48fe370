// SPDX-License-Identifier: BSD-3-Clause
// An accelerator behind a bus: registers, frames from memory, answers to memory, counters, watchdog.
// docs/shell.md is the contract. A run goes from start to done; an error or a soft reset ends it:
// no burst begins any more, outstanding ones are finished, then all but the registers is reset.
module bonn_shell #(
  parameter int IN_BITS = 8,     // of a beat
  parameter int IN_SLOT = 1,     // bytes of memory of a beat
  parameter int IN_BEATS = 1,    // of a frame
  parameter int IN_WORDS = 1,    // of 64 bits of a frame; derived: IN_SLOT * IN_BEATS / 8, rounded up
  parameter int OUT_BITS = 8,
  parameter int OUT_SLOT = 1,
  parameter int OUT_BEATS = 1,
  parameter int OUT_WORDS = 1,   // derived likewise
  parameter int STREAMS = 2,     // that are watched
  parameter int CLOCK_KHZ = 100000,
  parameter logic [127:0] HASH = '0
) (
  input  logic                aclk,
  input  logic                aresetn,

  input  logic [11:0]         s_axi_ctrl_awaddr,
  input  logic                s_axi_ctrl_awvalid,
  output logic                s_axi_ctrl_awready,
  input  logic [31:0]         s_axi_ctrl_wdata,
  input  logic [3:0]          s_axi_ctrl_wstrb,
  input  logic                s_axi_ctrl_wvalid,
  output logic                s_axi_ctrl_wready,
  output logic [1:0]          s_axi_ctrl_bresp,
  output logic                s_axi_ctrl_bvalid,
  input  logic                s_axi_ctrl_bready,
  input  logic [11:0]         s_axi_ctrl_araddr,
  input  logic                s_axi_ctrl_arvalid,
  output logic                s_axi_ctrl_arready,
  output logic [31:0]         s_axi_ctrl_rdata,
  output logic [1:0]          s_axi_ctrl_rresp,
  output logic                s_axi_ctrl_rvalid,
  input  logic                s_axi_ctrl_rready,

  output logic [31:0]         m_axi_araddr,
  output logic [7:0]          m_axi_arlen,
  output logic [2:0]          m_axi_arsize,
  output logic [1:0]          m_axi_arburst,
  output logic [3:0]          m_axi_arcache,
  output logic [2:0]          m_axi_arprot,
  output logic                m_axi_arvalid,
  input  logic                m_axi_arready,
  input  logic [63:0]         m_axi_rdata,
  input  logic [1:0]          m_axi_rresp,
  input  logic                m_axi_rlast,
  input  logic                m_axi_rvalid,
  output logic                m_axi_rready,
  output logic [31:0]         m_axi_awaddr,
  output logic [7:0]          m_axi_awlen,
  output logic [2:0]          m_axi_awsize,
  output logic [1:0]          m_axi_awburst,
  output logic [3:0]          m_axi_awcache,
  output logic [2:0]          m_axi_awprot,
  output logic                m_axi_awvalid,
  input  logic                m_axi_awready,
  output logic [63:0]         m_axi_wdata,
  output logic [7:0]          m_axi_wstrb,
  output logic                m_axi_wlast,
  output logic                m_axi_wvalid,
  input  logic                m_axi_wready,
  input  logic [1:0]          m_axi_bresp,
  input  logic                m_axi_bvalid,
  output logic                m_axi_bready,
  output logic                interrupt_out,

  output logic                accelerator_rst,
  output logic [IN_BITS-1:0]  in_tdata,
  output logic                in_tvalid,
  input  logic                in_tready,
  input  logic [OUT_BITS-1:0] out_tdata,
  input  logic                out_tvalid,
  output logic                out_tready,
  input  logic [STREAMS-1:0]  watch_valid,
  input  logic [STREAMS-1:0]  watch_ready
);
  localparam int ClearCycles = STREAMS > 16 ? STREAMS : 16;
  localparam int ClearBits = $clog2(ClearCycles + 1);
  localparam int PlaceBits = STREAMS > 1 ? $clog2(STREAMS) : 1;

  if (STREAMS < 1 || STREAMS > 128) begin : gen_illegal
    $error("shell: STREAMS %0d must be from 1 to 128", STREAMS);
  end

  logic clk, rst;
  assign clk = aclk;
  assign rst = !aresetn;

  // Words of the register map, offsets / 4.
  localparam logic [9:0] Control = 10'h010, Interrupt = 10'h012, Errors = 10'h013;
  localparam logic [9:0] InAddress = 10'h014, OutAddress = 10'h016, Frames = 10'h018;
  localparam logic [9:0] Watchdog = 10'h019;

  logic write;
  logic [9:0] write_word, read_word;
  logic [31:0] write_data, read_data, fixed_data, run_data, waiting, empty;
  bonn_registers #(.ADDRESS_BITS(12)) bus (
    .clk, .rst,
    .s_axi_awaddr(s_axi_ctrl_awaddr), .s_axi_awvalid(s_axi_ctrl_awvalid),
    .s_axi_awready(s_axi_ctrl_awready), .s_axi_wdata(s_axi_ctrl_wdata),
    .s_axi_wstrb(s_axi_ctrl_wstrb), .s_axi_wvalid(s_axi_ctrl_wvalid),
    .s_axi_wready(s_axi_ctrl_wready), .s_axi_bresp(s_axi_ctrl_bresp),
    .s_axi_bvalid(s_axi_ctrl_bvalid), .s_axi_bready(s_axi_ctrl_bready),
    .s_axi_araddr(s_axi_ctrl_araddr), .s_axi_arvalid(s_axi_ctrl_arvalid),
    .s_axi_arready(s_axi_ctrl_arready), .s_axi_rdata(s_axi_ctrl_rdata),
    .s_axi_rresp(s_axi_ctrl_rresp), .s_axi_rvalid(s_axi_ctrl_rvalid),
    .s_axi_rready(s_axi_ctrl_rready), .write, .write_word, .write_data, .read_word, .read_data
  );

  // The state of a run. Clearing: counters, queues and the accelerator are reset.
  typedef enum logic [1:0] {Idle, Running, Ending, Clearing} state_t;
  state_t state_q;
  logic [ClearBits-1:0] clear_q;
  logic done_q, error_q, enable_q, goes_on_q, cleared;
  logic [3:0] errors_q;
  logic [31:0] in_address_q, out_address_q, frames_q, watchdog_q;
  logic [31:0] run_frames_q;  // FRAMES at the start: it may be written for the next run meanwhile
  logic wants_start, wants_reset, legal, starts, begins, ends, running, clearing;
  logic read_failed, write_failed, bites, reader_quiet, writer_quiet, wrote, all_wrote;

  assign running = state_q == Running;
  assign clearing = state_q == Clearing;
  assign wants_start = write && write_word == Control && write_data[0];
  assign wants_reset = write && write_word == Control && write_data[1];
  assign legal = frames_q != '0 && in_address_q[2:0] == '0 && out_address_q[2:0] == '0;
  assign starts = wants_start && !wants_reset && state_q == Idle && legal;
  assign cleared = clear_q == ClearBits'(ClearCycles);
  assign begins = clearing && cleared && goes_on_q && !wants_reset;
  assign ends = wants_reset || read_failed || write_failed || bites;

  always_ff @(posedge clk) begin
    if (rst) begin
      state_q <= Clearing;
      goes_on_q <= 1'b0;
      done_q <= 1'b0;
      error_q <= 1'b0;
      clear_q <= '0;
    end else begin
      clear_q <= clearing && !cleared ? clear_q + 1'b1 : '0;
      case (state_q)
        Idle: begin
          if (starts || wants_reset) begin
            state_q <= Clearing;
            goes_on_q <= starts;
            done_q <= 1'b0;
            error_q <= 1'b0;
          end
        end
        Running: begin
          if (ends) begin
            state_q <= Ending;
            goes_on_q <= 1'b0;
          end else if (all_wrote) begin
            state_q <= Idle;
            done_q <= 1'b1;
          end
          if (ends && !wants_reset) error_q <= 1'b1;
        end
        Ending: begin
          if (reader_quiet && writer_quiet) state_q <= Clearing;
          if (read_failed || write_failed) error_q <= 1'b1;
        end
        default: begin  // Clearing
          if (wants_reset) goes_on_q <= 1'b0;
          if (begins) state_q <= Running;
          else if (cleared) state_q <= Idle;
        end
      endcase
    end
  end

  // Registers that are written.
  logic refused;
  assign refused = wants_start && !starts;
  always_ff @(posedge clk) begin
    if (rst) begin
      {enable_q, errors_q, in_address_q, out_address_q, watchdog_q} <= '0;
      frames_q <= 32'd1;
    end else begin
      if (write && write_word == Interrupt) enable_q <= write_data[0];
      if (write && write_word == InAddress) in_address_q <= write_data;
      if (write && write_word == OutAddress) out_address_q <= write_data;
      if (write && write_word == Frames) frames_q <= write_data;
      if (write && write_word == Watchdog) watchdog_q <= write_data;
      if (starts) run_frames_q <= frames_q;
      if (starts) errors_q <= '0;
      else begin
        errors_q <= (errors_q & ~(write && write_word == Errors ? write_data[3:0] : 4'b0)) |
                    {refused, bites, write_failed, read_failed};
      end
    end
  end
  assign interrupt_out = enable_q && (done_q || error_q);

  // Data.
  logic flush, read_valid, read_take, frame_in, answer_valid, answer_take, frame_left;
  logic [63:0] read_data_word, answer_word;
  assign flush = rst || clearing;
  assign accelerator_rst = flush;
  bonn_memory_reader #(.FRAME_WORDS(IN_WORDS)) reader (
    .clk, .rst(flush), .begin_run(begins), .stop(!running), .first_address(in_address_q),
    .frames(run_frames_q), .quiet(reader_quiet), .failed(read_failed), .m_axi_araddr,
    .m_axi_arlen(m_axi_arlen[3:0]), .m_axi_arvalid, .m_axi_arready, .m_axi_rdata, .m_axi_rresp,
    .m_axi_rlast, .m_axi_rvalid, .m_axi_rready, .valid(read_valid), .word(read_data_word),
    .take(read_take)
  );
  bonn_unpacker #(.BITS(IN_BITS), .SLOT(IN_SLOT), .BEATS(IN_BEATS)) unpack (
    .clk, .rst(flush), .valid(read_valid), .word(read_data_word), .take(read_take),
    .m_axis_tdata(in_tdata), .m_axis_tvalid(in_tvalid), .m_axis_tready(in_tready),
    .frame_end(frame_in)
  );
  bonn_packer #(.BITS(OUT_BITS), .SLOT(OUT_SLOT), .BEATS(OUT_BEATS)) pack (
    .clk, .rst(flush), .s_axis_tdata(out_tdata), .s_axis_tvalid(out_tvalid),
    .s_axis_tready(out_tready), .frame_end(frame_left), .valid(answer_valid), .word(answer_word),
    .take(answer_take)
  );
  bonn_memory_writer #(.FRAME_WORDS(OUT_WORDS)) writer (
    .clk, .rst(flush), .begin_run(begins), .stop(!running), .first_address(out_address_q),
    .quiet(writer_quiet), .failed(write_failed), .wrote, .m_axi_awaddr,
    .m_axi_awlen(m_axi_awlen[3:0]), .m_axi_awvalid, .m_axi_awready, .m_axi_wdata, .m_axi_wlast,
    .m_axi_wvalid, .m_axi_wready, .m_axi_bresp, .m_axi_bvalid, .m_axi_bready,
    .valid(answer_valid), .word(answer_word), .take(answer_take)
  );
  // Normal, bufferable, modifiable; words of 8 bytes in a row; data, secure, not privileged.
  assign {m_axi_arlen[7:4], m_axi_awlen[7:4]} = '0;
  assign {m_axi_arsize, m_axi_awsize} = {3'd3, 3'd3};
  assign {m_axi_arburst, m_axi_awburst} = {2'b01, 2'b01};
  assign {m_axi_arcache, m_axi_awcache} = {4'b0011, 4'b0011};
  assign {m_axi_arprot, m_axi_awprot} = '0;
  assign m_axi_wstrb = '1;

  // Counters of a run.
  logic [47:0] cycles_q;  // a month at 100 MHz
  logic [31:0] frames_in_q, frames_out_q, first_q, last_q, stalled_q;
  logic [31:0] still_q;  // cycles until the watchdog ends the run, inverted so that it counts up
  logic moved_q, watched_q, took_q;
  logic none_left_q, moves, stream_moves, any_waiting;
  logic [PlaceBits-1:0] last_waiting;
  assign all_wrote = frames_out_q == run_frames_q;
  assign moves = stream_moves || (in_tvalid && in_tready) ||
                 (out_tvalid && out_tready) || (m_axi_rvalid && m_axi_rready) ||
                 (m_axi_wvalid && m_axi_wready) || m_axi_bvalid;
  assign bites = running && watched_q && still_q == '1;
  always_ff @(posedge clk) begin
    if (begins) begin
      {cycles_q, frames_in_q, frames_out_q, first_q, last_q} <= '0;
      stalled_q <= '1;
      none_left_q <= 1'b1;
    end else if (running) begin
      cycles_q <= cycles_q + 1;
      frames_in_q <= frames_in_q + 32'(took_q);
      frames_out_q <= frames_out_q + 32'(wrote);
      if (frame_left) begin
        last_q <= cycles_q[31:0];
        none_left_q <= 1'b0;
        if (none_left_q) first_q <= cycles_q[31:0];
      end
      if (bites && any_waiting) stalled_q <= 32'(last_waiting);
    end
    // A cycle late: the ready of all stages is before a frame's end, and a carry chain behind it.
    took_q <= frame_in && running;
    moved_q <= moves;
    // A cycle late: a watchdog that is set in a run has its count first.
    watched_q <= watchdog_q != '0;
    still_q <= running && watched_q && !moved_q ? still_q + 1 : ~watchdog_q;
  end

  bonn_stream_monitor #(.STREAMS(STREAMS)) monitor (
    .clk, .clear(flush), .counts(running), .valid(watch_valid), .ready(watch_ready),
    .place(PlaceBits'(read_word[9:1])), .waiting, .empty, .moves(stream_moves),
    .any_waiting, .last_waiting
  );

  // Values for reads: constants of the design, the run's registers, totals of the streams.
  always_comb begin
    case (read_word[3:0])
      4'h0: fixed_data = 32'h424F4E4E;
      4'h1: fixed_data = 32'd1;
      4'h2: fixed_data = HASH[127:96];
      4'h3: fixed_data = HASH[95:64];
      4'h4: fixed_data = HASH[63:32];
      4'h5: fixed_data = HASH[31:0];
      4'h6: fixed_data = 32'(IN_BEATS);
      4'h7: fixed_data = 32'(OUT_BEATS);
      4'h8: fixed_data = 32'(IN_SLOT);
      4'h9: fixed_data = 32'(OUT_SLOT);
      4'ha: fixed_data = 32'(8 * IN_WORDS);
      4'hb: fixed_data = 32'(8 * OUT_WORDS);
      4'hc: fixed_data = 32'(STREAMS);
      4'hd: fixed_data = 32'(CLOCK_KHZ);
      default: fixed_data = '0;
    endcase
    case (read_word[4:0])
      5'h11: run_data = {28'd0, state_q == Ending || (clearing && !goes_on_q), error_q, done_q,
                         state_q != Idle};
      5'h12: run_data = 32'(enable_q);
      5'h13: run_data = 32'(errors_q);
      5'h14: run_data = in_address_q;
      5'h16: run_data = out_address_q;
      5'h18: run_data = frames_q;
      5'h19: run_data = watchdog_q;
      5'h1a: run_data = frames_in_q;
      5'h1b: run_data = frames_out_q;
      5'h1c: run_data = cycles_q[31:0];
      5'h1d: run_data = 32'(cycles_q[47:32]);
      5'h1e: run_data = first_q;
      5'h1f: run_data = last_q;
      default: run_data = '0;
    endcase
    if (read_word[9:8] != '0) read_data = read_word[9:1] - 9'h080 >= 9'(STREAMS) ? '0 :
                                          read_word[0] ? empty : waiting;
    else if (read_word == 10'h020) read_data = stalled_q;
    else if (read_word[7:5] != '0) read_data = '0;
    else read_data = read_word[4] ? run_data : fixed_data;
  end
endmodule
