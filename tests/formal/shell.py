# SPDX-License-Identifier: BSD-3-Clause
"""The memory reader and writer of the shell against a model of a memory behind AXI.

The memory accepts addresses and data whenever it likes, answers in order and late, and never
answers what was not asked. Words come and go whenever they like. A run begins with any address
and any number of frames after a reset, and may be stopped in any cycle. A reset may come in any
cycle, and resets the memory too; the shell resets only a quiet reader and writer, or with the bus.

All is proved by one step of induction: the conditions hold after a reset, and in the cycle after
any state in which they hold. One word of data, at any time, is marked; of its 64 bits, which are
all treated alike, the lowest is watched.

reader  address, length and order of bursts; no burst beyond the frames, across 4 KiB or the end of
        a frame; the request stays until accepted; room for every word that comes; words in order;
        quiet means nothing is outstanding; an idle reader asks
writer  the same of its bursts, and: as many words as announced, with wlast; the word that waits
        does not change; no more than eight bursts without an answer; `wrote` with the answers of
        the last bursts of frames, and with no other; an idle writer that holds a burst begins it
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tests.formal.invariants import Probe

ROOM = 32


@dataclass(frozen=True)
class Bench:
    """A module of the shell in its environment.

    Attributes
    ----------
    sources : tuple of str
        Files of hw_templates, its own first.
    body : str
        The harness after its ports, where ``holds`` is what is proved.
    fault : tuple of str or None
        A file of hw_templates, a part of its text, and what stands there instead.
    """

    name: str
    sources: tuple[str, ...]
    ports: str
    probes: tuple[Probe, ...]
    body: str
    fault: tuple[str, str, str] | None = None

    def text(self) -> str:
        """The module ``formal_top``."""
        shown = "".join(f", input [{probe.width - 1}:0] {probe.name}" for probe in self.probes)
        return f"""module formal_top (input clk, input rst{self.ports}{shown});
{self.body}
  reg [1:0] age = 0;
  always @(posedge clk) if (age != 2) age <= age + 1;
  always @* if (age == 0) assume (holds || rst);
  always @* if (age == 1) assert (holds);
endmodule
"""


def _queue(path: str, name: str, depth: int, width: int) -> list[Probe]:
    """The words of a `bonn_sync_fifo`, and both of its counts."""
    bits = depth.bit_length()
    words = [Probe(f"{name}_{at}", f"{path}.words[{at}]", width) for at in range(depth)]
    counts = [Probe(f"{name}_{end}", f"{path}.{end}_q", bits) for end in ("written", "read")]
    return [*words, *counts]


def _lowest(name: str, depth: int) -> str:
    """The lowest bits of a queue's words, the first one lowest."""
    return f"{{{', '.join(f'{name}_{at}[0]' for at in reversed(range(depth)))}}}"


def _all(conditions: Sequence[str]) -> str:
    lines = [f"  wire holds_{place} = {text};" for place, text in enumerate(conditions)]
    every = " && ".join(f"holds_{place}" for place in range(len(conditions)))
    return "\n".join([*lines, f"  wire holds = {every};"])


# What the bursts of a run have to be, kept at the channel of addresses. `words` are those of the
# burst that is offered; 0 without one.
RUN = """
  localparam int FrameWords = {frame};
  reg fresh, running;  // after a reset; in a run
  wire begins = begin_in && fresh && !rst;
  always @(posedge clk) begin
    if (rst) {{fresh, running}} <= 2'b10;
    else if (begins) {{fresh, running}} <= 2'b01;
    else if (stop_in) running <= 0;
  end
  wire stop = !running;
  wire a_valid;
  wire [31:0] a_address;
  wire [3:0] a_length;
  wire a_take = a_valid && a_ready;
  wire [5:0] words = a_valid ? a_length + 1 : 0;
  // The next word, the words of its frame that were asked for, frames that were not.
  reg [28:0] next;
  reg [7:0] place;
  reg [31:0] frames_left;
  wire [7:0] after = place + words;
  wire ends = a_valid && after == FrameWords;
  always @(posedge clk)
    if (begins) begin
      next <= first[31:3];
      place <= 0;
      frames_left <= frames;
    end else if (a_take) begin
      next <= next + words;
      place <= ends ? 0 : after;
      frames_left <= frames_left - ends;
    end
  // What was offered and not taken stays.
  reg waited;
  reg [31:0] waited_address;
  reg [3:0] waited_length;
  always @(posedge clk) begin
    waited <= a_valid && !a_ready && !rst;
    waited_address <= a_address;
    waited_length <= a_length;
  end
  // One word, any, is marked; `before` are those in the queue that leave before it.
  reg marked, kept;
  reg [{bits}:0] before;
  wire [{bits}:0] held = queue_written - queue_read;
  wire [{depth} - 1:0] queue = {words};
  wire [{bits} - 1:0] marked_at = queue_read + before;
  always @(posedge clk)
    if (rst) marked <= 0;
    else if (mark && !marked && put) begin
      marked <= 1;
      kept <= put_bit;
      before <= held - (get && held != 0);
    end else if (get && held != 0 && marked) begin
      if (before == 0) marked <= 0;
      before <= before - 1;
    end
"""
LEGAL = (
    "fresh + running <= 1",
    "!fresh || !a_valid",
    "!waited || (a_valid && a_address == waited_address && a_length == waited_length)",
    "!a_valid || a_address == {next, 3'b0}",
    "!a_valid || next[8:0] + a_length < 512",
    "fresh || (place < FrameWords && after <= FrameWords)",
    "fresh || word_q == 29'(next + words)",
    "fresh || left_q == (after == FrameWords ? FrameWords : FrameWords - after)",
    "held <= {depth}",
    "!marked || (before < held && queue[marked_at] == kept)",
    "!marked || before != 0 || out_bit == kept",
)


def _run(frame: int, depth: int) -> str:
    bits = (depth - 1).bit_length()
    return RUN.format(frame=frame, depth=depth, bits=bits, words=_lowest("queue", depth))


def _splitter(frame: int) -> list[Probe]:
    return [
        Probe("word_q", "splitter.word_q", 29),
        Probe("left_q", "splitter.left_q", frame.bit_length()),
    ]


def _legal(depth: int) -> list[str]:
    return [text.replace("{depth}", str(depth)) for text in LEGAL]


def reader(frame: int) -> Bench:
    """The reader, with frames of so many words."""
    ports = (
        ", input begin_in, input stop_in, input [31:0] first, input [31:0] frames"
        ", input a_ready, input r_valid, input [63:0] r_data, input [1:0] r_resp, input r_last"
        ", input take, input mark"
    )
    instance = f"""
  // The memory: words that were asked for and have not come. A word comes if there is one.
  reg [6:0] owed;
  wire came = r_valid && owed != 0;
  always @(posedge clk) owed <= rst ? 0 : owed + (a_take ? words : 0) - came;
  wire quiet, failed, valid, r_ready;
  wire [63:0] word;
  wire put = came, put_bit = r_data[0], get = take, out_bit = word[0];
  bonn_memory_reader #(.FRAME_WORDS({frame}), .ROOM({ROOM})) dut (
    .clk(clk), .rst(rst), .begin_run(begins), .stop(stop), .first_address(first),
    .frames(frames), .quiet(quiet), .failed(failed), .m_axi_araddr(a_address),
    .m_axi_arlen(a_length), .m_axi_arvalid(a_valid), .m_axi_arready(a_ready),
    .m_axi_rdata(r_data), .m_axi_rresp(r_resp), .m_axi_rlast(r_last), .m_axi_rvalid(came),
    .m_axi_rready(r_ready), .valid(valid), .word(word), .take(take)
  );
  reg idle;
  always @(posedge clk)
    idle <= !rst && running && !a_valid && owed == 0 && !valid && frames_left != 0;
"""
    conditions = [
        *_legal(ROOM),
        "r_ready && failed == (came && r_resp[1])",
        "valid == (held != 0)",
        "!a_valid || frames_left != 0",
        "fresh || ~frames_q == 32'(frames_left - ends)",
        "!fresh || owed == 0",
        "awaited == 8'(owed) + words",
        "promised == 8'(awaited) + held && promised <= 32",
        "!quiet || (owed == 0 && !a_valid)",
        "!idle || a_valid",
    ]
    probes = (
        *_splitter(frame),
        *_queue("queue", "queue", ROOM, 64),
        Probe("frames_q", "left_q", 32),
        Probe("awaited", "awaited_q", 6),
        Probe("promised", "promised_q", 6),
    )
    sources = ("memory_reader", "burst_splitter", "sync_fifo")
    body = _run(frame, ROOM) + instance + _all(conditions)
    files = tuple(f"shell/{name}.sv" for name in sources)
    return Bench(f"reader_{frame}", files, ports, probes, body)


def writer(frame: int) -> Bench:
    """The writer, with frames of so many words."""
    ports = (
        ", input begin_in, input stop_in, input [31:0] first, input mark, input mark_burst"
        ", input a_ready, input w_ready, input b_valid, input [1:0] b_resp"
        ", input valid, input [63:0] word"
    )
    instance = f"""
  // The memory: bursts whose address, and whose last word, were accepted and are not answered.
  reg [3:0] addressed, written;
  wire w_valid, w_last, b_ready, take, quiet, failed, wrote;
  wire [63:0] w_data;
  wire answers = b_valid && addressed != 0 && written != 0;
  wire w_take = w_valid && w_ready;
  always @(posedge clk) begin
    addressed <= rst ? 0 : addressed + a_take - answers;
    written <= rst ? 0 : written + (w_take && w_last) - answers;
  end
  wire [31:0] frames = 0;  // as many as there are words for
  wire put = valid && take, put_bit = word[0], get = w_take, out_bit = w_data[0];
  bonn_memory_writer #(.FRAME_WORDS({frame})) dut (
    .clk(clk), .rst(rst), .begin_run(begins), .stop(stop), .first_address(first), .quiet(quiet),
    .failed(failed), .wrote(wrote), .m_axi_awaddr(a_address), .m_axi_awlen(a_length),
    .m_axi_awvalid(a_valid), .m_axi_awready(a_ready), .m_axi_wdata(w_data),
    .m_axi_wlast(w_last), .m_axi_wvalid(w_valid), .m_axi_wready(w_ready),
    .m_axi_bresp(b_resp), .m_axi_bvalid(answers), .m_axi_bready(b_ready),
    .valid(valid), .word(word), .take(take)
  );
  // Words of the burst that were sent; it was begun with the address, which may wait longer.
  reg [4:0] sent_words;
  always @(posedge clk) sent_words <= rst || (w_take && w_last) ? 0 : sent_words + w_take;
  wire [3:0] open = ends_written - ends_read;  // bursts that have begun and are not answered
  // One burst, any, is marked as it begins: whether it ends a frame.
  reg burst_marked, ends_frame;
  reg [3:0] earlier;
  reg offered_before;
  wire begins_burst = a_valid && !offered_before;
  wire [7:0] ends_queue = {_lowest("ends", 8)};
  wire [2:0] ends_at = ends_read + earlier;
  always @(posedge clk) begin
    offered_before <= a_valid && !a_ready && !rst;
    if (rst) burst_marked <= 0;
    else if (mark_burst && !burst_marked && begins_burst) begin
      burst_marked <= 1;
      ends_frame <= ends;
      earlier <= open - 1 - answers;
    end else if (burst_marked && answers) begin
      if (earlier == 0) burst_marked <= 0;
      earlier <= earlier - 1;
    end
  end
  wire [3:0] newest = open - 1;
  reg w_waited, w_waited_bit, w_waited_last;
  reg idle;
  always @(posedge clk) begin
    w_waited <= w_valid && !w_ready && !rst;
    w_waited_bit <= w_data[0];
    w_waited_last <= w_last;
    idle <= !rst && running && !a_valid && !w_valid && open == 0 && held >= 16;
  end
"""
    conditions = [
        *_legal(32),
        "b_ready && failed == (answers && b_resp[1])",
        "take == !held[5]",
        "!w_waited || (w_valid && w_data[0] == w_waited_bit && w_last == w_waited_last)",
        "w_valid == (sending != 0) && sending <= 16 && held >= sending",
        "!w_valid || sending + sent_words == a_length + 1",
        "w_valid || sent_words == 0",
        "!w_valid || w_last == (sent_words == a_length)",
        "open <= 8",
        "open == 8'(addressed) + a_valid",
        "open == 8'(written) + w_valid",
        "!fresh || (open == 0 && !w_valid)",
        "offered_before == waited",
        "!begins_burst || ends_queue[3'(ends_read + newest)] == ends",
        "!a_valid || ends_queue[3'(ends_read + newest)] == ends",
        "!burst_marked || (earlier < open && ends_queue[ends_at] == ends_frame)",
        "!(burst_marked && earlier == 0 && answers) || wrote == ends_frame",
        "answers || !wrote",
        "!quiet || (addressed == 0 && written == 0 && !a_valid && !w_valid)",
        "!idle || a_valid",
    ]
    probes = (
        *_splitter(frame),
        *_queue("queue", "queue", 32, 64),
        *_queue("ends", "ends", 8, 1),
        Probe("sending", "sent_words_q", 5),
    )
    sources = ("memory_writer", "burst_splitter", "sync_fifo")
    body = _run(frame, 32) + instance + _all(conditions)
    files = tuple(f"shell/{name}.sv" for name in sources)
    return Bench(f"writer_{frame}", files, ports, probes, body)


BENCHES = (reader(1), reader(20), writer(1), writer(20))
