// SPDX-License-Identifier: BSD-3-Clause
// Sends every window of KH x KW pixels, at strides SY, SX, inside a frame of H x W pixels of FOLDS
// beats. The beats of a window are in the order ky, kx, fold. A step makes one output beat.
// TAPS is the number of pixels in an output beat: 1, or KW (a row of taps; FOLDS is 1 then).
// The line buffer is a ring of DEPTH words (a power of two). A word is an output beat: with TAPS 1
// every input beat; with TAPS KW the KW pixels of a row of taps, so that it is a single read.
// Word p of the frame is at address p mod DEPTH. STYLE: 0 in LUT memory, 1 in block memory.
// The first row of taps of a window waits until all rows of taps but the last have arrived; the
// last one waits until it has arrived itself.
// Input stalls while a beat would complete a word and the ring is full; output stalls when not
// taken or when a row of taps is missing.
// DEPTH 0: no line buffer, for windows whose pixels arrive in the order in which they are sent. A
// step takes an input beat, and sends it if a window covers it; it stalls when the output is not
// taken.
module bonn_sliding_window #(
  parameter int LANES = 1,
  parameter int BITS = 1,
  parameter int H = 3,
  parameter int W = 4,
  parameter int FOLDS = 1,
  parameter int KH = 3,
  parameter int KW = 3,
  parameter int SY = 1,
  parameter int SX = 1,
  parameter int TAPS = 1,
  parameter int DEPTH = 16,  // derived: holds what a window needs, see above
  parameter int STYLE = 0
) (
  input  logic                       clk,
  input  logic                       rst,
  input  logic [LANES*BITS-1:0]      s_axis_tdata,
  input  logic                       s_axis_tvalid,
  output logic                       s_axis_tready,
  output logic [TAPS*LANES*BITS-1:0] m_axis_tdata,
  output logic                       m_axis_tvalid,
  input  logic                       m_axis_tready,
  output logic                       step
);
  localparam int Rows = SY > 0 ? (H - KH) / SY + 1 : 1;
  localparam int Cols = SX > 0 ? (W - KW) / SX + 1 : 1;
  // True if the windows' pixels are in the order of the frame: windows side by side are one row
  // high and do not overlap, and windows above each other do not overlap.
  localparam bit InOrder = (Cols == 1 || (KH == 1 && SX >= KW)) && (Rows == 1 || SY >= KH);

  if (LANES < 1 || BITS < 1 || FOLDS < 1 || KH < 1 || KW < 1 || H < KH || W < KW || SY < 1 ||
      SX < 1) begin : gen_illegal
    $error("sliding_window: a window of %0d x %0d must fit the frame of %0d x %0d, strides %0d, %0d",
           KH, KW, H, W, SY, SX);
  end
  if (TAPS != 1 && (TAPS != KW || FOLDS != 1 || DEPTH == 0)) begin : gen_illegal_taps
    $error("sliding_window: TAPS %0d must be 1, or KW %0d where FOLDS %0d is 1 and DEPTH %0d not 0",
           TAPS, KW, FOLDS, DEPTH);
  end

  logic ce;
  assign ce = m_axis_tready || !m_axis_tvalid;

  if (DEPTH == 0) begin : gen_pick
    // The frame consists of tiles of PitchX beats by PitchY rows, a window in a corner of each.
    localparam int PitchX = (Cols == 1 ? W : SX) * FOLDS;
    localparam int PitchY = Rows == 1 ? H : SY;
    localparam int TilesX = (W * FOLDS + PitchX - 1) / PitchX;
    localparam int TilesY = (H + PitchY - 1) / PitchY;
    localparam int LastX = W * FOLDS - (TilesX - 1) * PitchX - 1;
    localparam int LastY = H - (TilesY - 1) * PitchY - 1;
    localparam bit CutX = LastX != PitchX - 1;
    localparam bit CutY = LastY != PitchY - 1;
    localparam int InXBits = PitchX > 1 ? $clog2(PitchX) : 1;
    localparam int InYBits = PitchY > 1 ? $clog2(PitchY) : 1;
    localparam int XBits = TilesX > 1 ? $clog2(TilesX) : 1;
    localparam int YBits = TilesY > 1 ? $clog2(TilesY) : 1;

    if (!InOrder) begin : gen_illegal_depth
      $error("sliding_window: DEPTH %0d: these windows need a line buffer", DEPTH);
    end

    logic [InXBits-1:0] in_x;
    logic [InYBits-1:0] in_y;
    logic [XBits-1:0] x;
    logic [YBits-1:0] y;
    logic covered, in_x_last, in_y_last, x_last, y_last, tile_end, row_end, rows_end, frame_end;

    // The tiles at the end of a row and of the frame may be smaller.
    assign row_end = step && x_last && int'(in_x) == LastX;
    assign tile_end = (CutX && row_end) || (step && in_x_last);
    assign frame_end = row_end && y_last && int'(in_y) == LastY;
    assign rows_end = (CutY && frame_end) || (row_end && in_y_last);
    bonn_counter #(.STATES(PitchX)) in_tile (
      .clk, .rst(rst || (CutX && row_end)), .step, .value(in_x), .last(in_x_last)
    );
    bonn_counter #(.STATES(TilesX)) tiles (.clk, .rst, .step(tile_end), .value(x), .last(x_last));
    bonn_counter #(.STATES(PitchY)) rows_in_tile (
      .clk, .rst(rst || (CutY && frame_end)), .step(row_end), .value(in_y), .last(in_y_last)
    );
    bonn_counter #(.STATES(TilesY)) tile_rows (
      .clk, .rst, .step(rows_end), .value(y), .last(y_last)
    );
    // Conditions that always hold are constants here, so that synthesis removes unused counters.
    assign covered = (PitchX <= KW * FOLDS || int'(in_x) < KW * FOLDS) &&
                     (TilesX <= Cols || int'(x) < Cols) &&
                     (PitchY <= KH || int'(in_y) < KH) && (TilesY <= Rows || int'(y) < Rows);

    assign step = ce && s_axis_tvalid;
    assign s_axis_tready = ce;
    always_ff @(posedge clk) begin
      if (rst) m_axis_tvalid <= 1'b0;
      else if (ce) m_axis_tvalid <= step && covered;
      if (step) m_axis_tdata <= s_axis_tdata;
    end
  end else begin : gen_ring
    // In words: a row of the frame, from a window to the next one in its row, a row of taps.
    localparam int Row = TAPS == 1 ? W * FOLDS : Cols;
    localparam int Pitch = TAPS == 1 ? SX * FOLDS : 1;
    localparam int TapRow = TAPS == 1 ? KW * FOLDS : 1;
    // From the last window of a row to the first one of the next row, of the next frame.
    localparam int NextRow = SY * Row - (Cols - 1) * Pitch;
    localparam int NextFrame = (H - (Rows - 1) * SY) * Row - (Cols - 1) * Pitch;
    // Words that a window frees in the ring. After its first row of taps (Early): those that no
    // other window needs. After its last row of taps (Rest*): all others before the next window,
    // which is in the same row, in the next row of windows, or in the next frame.
    localparam int Early = Pitch > TapRow ? TapRow : Pitch;
    localparam int Both = KH == 1 ? Early : 0;  // where the first row of taps is the last
    localparam int RestWindow = Pitch - Early + Both;
    localparam int RestRow = NextRow - Early + Both;
    localparam int RestFrame = NextFrame - Early + Both;
    // Words, from the first that is not freed, that a window's first and last row of taps need.
    localparam int NeedFirst = (KH > 2 ? KH - 2 : 0) * Row + TapRow;
    localparam int NeedLast = (KH - 1) * Row + TapRow - (KH == 1 ? 0 : Early);
    // The same, from the first word that is not freed, for the rows of taps in between.
    localparam int NeedBetween = NeedFirst - Early;
    // Words that the last row of taps of a window needs beyond those of the first.
    localparam int Last = KH == 1 ? 0 : Row;
    // The most words that can be missing.
    localparam int MostJump = Rows > 1 && NextRow > NextFrame ? NextRow : NextFrame;
    localparam int MostAhead = (Pitch > MostJump ? Pitch : MostJump) - Last;
    localparam int MostNeed = NeedFirst > Last ? NeedFirst : Last;
    localparam int Lack = MostAhead > MostNeed ? MostAhead : MostNeed;
    localparam int CreditBits = $clog2(DEPTH > Lack ? DEPTH : Lack) + 1;  // with a sign
    localparam int AddressBits = $clog2(DEPTH);
    localparam int Width = TAPS * LANES * BITS;

    if (DEPTH < 2 || DEPTH < NeedLast || DEPTH < NeedFirst || (DEPTH & (DEPTH - 1)) != 0)
    begin : gen_illegal_depth
      $error("sliding_window: DEPTH %0d must be a power of two and hold %0d words", DEPTH,
             NeedLast > NeedFirst ? NeedLast : NeedFirst);
    end

    logic [AddressBits-1:0] write_address, read_q, jump;
    // credit: words that have arrived beyond those that the next step needs; the sign says that some
    // are missing, so that `step` depends on registers only. spent: words by which the step after
    // this one needs more, negated.
    logic [CreditBits-1:0] credit_q, spent;
    logic full_q, almost_full, frees;
    logic take, completes, put, unused, unused_write_last;
    logic tap_last, ky_first, ky_before_last, ky_last, x_last, y_last;
    logic window_last, row_last, frame_last;
    logic [Width-1:0] word;

    assign s_axis_tready = !full_q || !completes;
    assign take = s_axis_tvalid && s_axis_tready;
    assign put = take && completes;

    if (TAPS == 1) begin : gen_beats
      assign completes = 1'b1;
      assign word = s_axis_tdata;
    end else begin : gen_rows
      // The most recent pixels; column 0 is the pixel that completes the first word of a row.
      localparam int Pixel = LANES * BITS;
      logic [Width-Pixel-1:0] pixels_q;
      logic [$clog2(W)-1:0] column;
      logic [SX > 1 ? $clog2(SX)-1 : 0:0] unused_phase;
      logic column_last, phase_last, completes_q;
      bonn_counter #(.STATES(W), .FIRST(W - KW + 1)) columns (
        .clk, .rst, .step(take), .value(column), .last(column_last)
      );
      bonn_counter #(.STATES(SX)) phases (
        .clk, .rst(rst || (take && column_last)), .step(take), .value(unused_phase),
        .last(phase_last)
      );
      // Columns 0, SX, ... (Cols - 1) * SX do.
      always_ff @(posedge clk) begin
        if (rst) completes_q <= 1'b0;
        else if (take) completes_q <= column_last || (phase_last && int'(column) < (Cols - 1) * SX);
      end
      assign completes = completes_q;
      assign word = {s_axis_tdata, pixels_q};
      always_ff @(posedge clk) if (take) pixels_q <= word[Width-1:Pixel];
    end

    // Position of the read. `step` is known late in a cycle: what need not depend on it does not.
    logic [(TapRow > 1 ? $clog2(TapRow) : 1)-1:0] unused_tap;
    logic [(KH > 1 ? $clog2(KH) : 1)-1:0] ky;
    logic [(Cols > 1 ? $clog2(Cols) : 1)-1:0] unused_x;
    logic [(Rows > 1 ? $clog2(Rows) : 1)-1:0] unused_y;
    bonn_counter #(.STATES(TapRow)) taps (.clk, .rst, .step, .value(unused_tap), .last(tap_last));
    bonn_counter #(.STATES(KH)) tap_rows (
      .clk, .rst, .step(step && tap_last), .value(ky), .last(ky_last)
    );
    bonn_counter #(.STATES(Cols)) windows (
      .clk, .rst, .step(step && window_last), .value(unused_x), .last(x_last)
    );
    bonn_counter #(.STATES(Rows)) window_rows (
      .clk, .rst, .step(step && row_last), .value(unused_y), .last(y_last)
    );
    assign ky_first = ky == '0;
    assign ky_before_last = KH > 1 && int'(ky) == KH - 2;
    assign window_last = tap_last && ky_last;
    assign row_last = window_last && x_last;
    assign frame_last = row_last && y_last;

    assign step = ce && !credit_q[CreditBits-1];

    always_comb begin
      if (frame_last) jump = AddressBits'(NextFrame - (KH - 1) * Row - TapRow + 1);
      else if (row_last) jump = AddressBits'(NextRow - (KH - 1) * Row - TapRow + 1);
      else if (window_last) jump = AddressBits'(Pitch - (KH - 1) * Row - TapRow + 1);
      else if (tap_last) jump = AddressBits'(Row - TapRow + 1);
      else jump = AddressBits'(1);

      if (frame_last) frees = RestFrame > 0;
      else if (row_last) frees = RestRow > 0;
      else if (window_last) frees = RestWindow > 0;
      else frees = tap_last && ky_first;

      // A single word is free.
      if (ky_first) almost_full = credit_q == CreditBits'(DEPTH - 1 - NeedFirst);
      else if (ky_last) almost_full = credit_q == CreditBits'(DEPTH - 1 - NeedLast);
      else almost_full = credit_q == CreditBits'(DEPTH - 1 - NeedBetween);

      if (frame_last) spent = CreditBits'(Last - NextFrame);
      else if (row_last) spent = CreditBits'(Last - NextRow);
      else if (window_last) spent = CreditBits'(Last - Pitch);
      else if (tap_last && ky_before_last) spent = CreditBits'(-Last);
      else spent = '0;
    end

    bonn_counter #(.STATES(DEPTH)) writes (
      .clk, .rst, .step(put), .value(write_address), .last(unused_write_last)
    );
    always_ff @(posedge clk) begin
      if (rst) begin
        read_q <= '0;
        full_q <= 1'b0;
        credit_q <= CreditBits'(-NeedFirst);
        m_axis_tvalid <= 1'b0;
      end else begin
        if (step) read_q <= read_q + jump;
        // Nothing is put into a full ring: after a step that frees a word it is not full.
        full_q <= !(step && frees) && (full_q || (put && almost_full));
        // A word that arrives is the carry into the sum.
        {credit_q, unused} <= {credit_q, 1'b1} + {step ? spent : CreditBits'(0), put};
        if (ce) m_axis_tvalid <= step;
      end
    end

    if (STYLE == 0) begin : gen_lut
      (* ram_style = "distributed" *) logic [Width-1:0] ring[DEPTH];
      always_ff @(posedge clk) begin
        if (put) ring[write_address] <= word;
        if (step) m_axis_tdata <= ring[read_q];
      end
    end else begin : gen_block
      (* ram_style = "block" *) logic [Width-1:0] ring[DEPTH];
      always_ff @(posedge clk) begin
        if (put) ring[write_address] <= word;
        if (step) m_axis_tdata <= ring[read_q];
      end
    end
  end
endmodule
