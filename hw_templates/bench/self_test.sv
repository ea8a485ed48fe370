// SPDX-License-Identifier: BSD-3-Clause
// For simulation: sends FRAMES frames from the file INPUTS to an accelerator and compares every beat
// of its answers with the file OUTPUTS (X and Z differ from both). First without stalls, then, after
// a reset, with random gaps between inputs and random stalls of outputs; +free: the first only,
// +stalls: the second only; +frames=N: the first N frames only. Ends with "PASSED", or with $fatal and a reason. TIMEOUT: cycles without
// any beat after which the accelerator hangs.
module bonn_self_test #(
  parameter int FRAMES = 1,
  parameter int IN_BITS = 1,
  parameter int IN_BEATS = 1,
  parameter int OUT_BITS = 1,
  parameter int OUT_BEATS = 1,
  parameter int TIMEOUT = 1000,
  parameter INPUTS = "",
  parameter OUTPUTS = "",
  localparam int Beats = FRAMES * IN_BEATS,
  localparam int Answers = FRAMES * OUT_BEATS
) (
  input  logic                clk,
  output logic                rst,
  output logic [IN_BITS-1:0]  m_axis_tdata,
  output logic                m_axis_tvalid,
  input  logic                m_axis_tready,
  input  logic [OUT_BITS-1:0] s_axis_tdata,
  input  logic                s_axis_tvalid,
  output logic                s_axis_tready
);
  localparam int ResetCycles = 8;
  localparam int DrainCycles = 100;  // in which no beat may follow the last one
  localparam int MostTold = 5;

  logic [IN_BITS-1:0] inputs[Beats];
  logic [OUT_BITS-1:0] outputs[Answers];
  initial begin
    $readmemh(INPUTS, inputs);
    $readmemh(OUTPUTS, outputs);
  end

  int frames = FRAMES;
  int beats, answers;  // of these frames
  assign beats = frames * IN_BEATS;
  assign answers = frames * OUT_BEATS;
  initial begin
    if ($value$plusargs("frames=%d", frames) != 0 && (frames < 1 || frames > FRAMES)) begin
      $fatal(1, "self-test: +frames=%0d: there are 1 to %0d frames", frames, FRAMES);
    end
  end

  logic rst_q = 1'b1;
  logic tvalid_q = 1'b0, tready_q = 1'b0, held_q = 1'b0, stalls_q = 1'b0, first_q = 1'b1;
  logic [IN_BITS-1:0] tdata_q = '0;
  logic [OUT_BITS-1:0] last_q = '0;
  logic [31:0] random_q = 32'h2545f491;
  int cycle_q = 0;  // of the reset, then since the last beat at either end
  int sent_q = 0, taken_q = 0, wrong_q = 0, passes_q = 0;

  assign rst = rst_q;
  assign m_axis_tdata = tdata_q;
  assign m_axis_tvalid = tvalid_q;
  assign s_axis_tready = tready_q;

  logic sends, takes;
  int next;  // the beat that is offered next
  assign sends = tvalid_q && m_axis_tready;
  assign takes = s_axis_tvalid && tready_q;
  assign next = tvalid_q ? sent_q + 1 : sent_q;

  always @(posedge clk) begin  // not always_ff: Icarus warns of its system tasks
    random_q <= {random_q[30:0], random_q[31] ^ random_q[21] ^ random_q[1] ^ random_q[0]};
    cycle_q <= cycle_q + 1;
    if (rst_q) begin
      if (first_q) stalls_q <= $test$plusargs("stalls") != 0;
      first_q <= 1'b0;
      tvalid_q <= 1'b0;
      tready_q <= 1'b0;
      held_q <= 1'b0;
      sent_q <= 0;
      taken_q <= 0;
      if (cycle_q == ResetCycles) begin
        rst_q <= 1'b0;
        cycle_q <= 0;
      end
    end else begin
      if ((^{m_axis_tready, s_axis_tvalid}) === 1'bx) begin
        $fatal(1, "FAILED: after the reset, tready of the input is %b, tvalid of the output %b",
               m_axis_tready, s_axis_tvalid);
      end
      if (!tvalid_q || m_axis_tready) begin
        sent_q <= next;
        tvalid_q <= next < beats && (!stalls_q || random_q[0]);
        tdata_q <= inputs[next < beats ? next : 0];
      end
      tready_q <= !stalls_q || random_q[16];
      held_q <= s_axis_tvalid && !tready_q;
      last_q <= s_axis_tdata;
      if (held_q && (!s_axis_tvalid || s_axis_tdata !== last_q)) begin
        $fatal(1, "FAILED: beat %0d of the output changed before it was taken", taken_q);
      end
      if (takes) begin
        taken_q <= taken_q + 1;
        if (taken_q >= answers) begin
          $fatal(1, "FAILED: there is a beat after the last one of %0d frames", frames);
        end else if (s_axis_tdata !== outputs[taken_q]) begin
          wrong_q <= wrong_q + 1;
          if (wrong_q < MostTold) begin
            $display("frame %0d, beat %0d: %h, expected %h", taken_q / OUT_BEATS,
                     taken_q % OUT_BEATS, s_axis_tdata, outputs[taken_q]);
          end
        end
      end
      if (sends || takes) cycle_q <= 0;
      if (taken_q >= answers && cycle_q >= DrainCycles) begin
        passes_q <= passes_q + 1;
        rst_q <= 1'b1;
        cycle_q <= 0;
        stalls_q <= 1'b1;
        if (wrong_q != 0) begin
          $fatal(1, "FAILED: %0d of %0d output beats differ", wrong_q, (passes_q + 1) * answers);
        end
        if (stalls_q || $test$plusargs("free") != 0) begin
          $display("PASSED: all %0d output beats of %0d frames, %0d times", answers, frames,
                   passes_q + 1);
          $finish;
        end
      end else if (cycle_q > TIMEOUT) begin
        $fatal(1, "FAILED: no beat for %0d cycles, after %0d of %0d input and %0d of %0d output beats",
               TIMEOUT, sent_q, beats, taken_q, answers);
      end
    end
  end
endmodule
