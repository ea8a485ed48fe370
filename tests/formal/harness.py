# SPDX-License-Identifier: BSD-3-Clause
"""The module that is proved: a kernel, an arbitrary environment, and assertions.

Everything around the kernel is arbitrary in every cycle: tvalid and tdata of its inputs, tready of
its outputs, the reset; and so are the first contents of its registers and memories.

valid     what is offered stays, until it is taken
data      and does not change
quiet     after a reset nothing is offered
joined    beats of several inputs are taken together
value     every output beat is what the Python reference computes from its frame's input beats
order     no output beat comes before the input beats that it depends on
answer    an output beat comes within `Facts.patience` cycles, once its inputs have come
moves     with both ends willing something moves within the same time: no dead-lock
inside    no more input beats are accepted ahead of the output than the schedule says: capacity
accepts   and as many are accepted: a buffer takes beats until it holds its capacity

The helper invariants of `tests/formal/invariants.py` are either proved or assumed.
"""

from __future__ import annotations

from bonn_hw.ir.rtl import Bits
from tests.formal.facts import Facts
from tests.formal.invariants import Invariant

PROPERTIES = (
    *("valid", "data", "quiet", "joined", "value", "order"),
    *("answer", "moves", "inside", "accepts"),
)


def bits_for(states: int) -> int:
    """Bits of a counter of so many states."""
    return max(1, (states - 1).bit_length())


def top(
    facts: Facts,
    memories: dict[str, str],
    chosen: tuple[str, ...] = PROPERTIES,
    lead: Invariant | None = None,
    inductive: bool = False,
) -> str:
    """The text of the module ``formal_top``.

    Parameters
    ----------
    memories : mapping
        Names of files by the parameters of the kernel's RTL.
    chosen : tuple of str
        The properties that are asserted.
    lead : Invariant or None
        Helper invariants, which are assumed in every cycle.
    inductive : bool
        Assert the invariants instead, one cycle after any state in which they hold, or a reset.
    """
    instance = facts.instance
    given = {
        name: str(value) if isinstance(value, Bits) else f"{value:d}"
        for name, value in instance.parameters.items()
    } | {name: f'"{file}"' for name, file in memories.items()}
    parameters = ", ".join(f".{name}({value})" for name, value in given.items())
    inputs, outputs = len(facts.in_widths), len(facts.kernel.outputs)
    taken, width = sum(facts.in_widths), facts.out_width
    (beats_in, beats_out), one = facts.beats, facts.output
    ip, op = bits_for(beats_in), bits_for(beats_out)
    # Frames inside: signed, since a frame's last output can come before its last input.
    ahead = bits_for(facts.frames_inside + 1) + 1
    waits = bits_for(facts.patience + 2)
    asserted = [] if inductive else [line for name in chosen for line in _asserted(name, facts)]
    body = "\n".join(f"  {line}" for line in [*_led(lead, inductive), *asserted])
    shown = "".join(f", input [{p.width - 1}:0] {p.name}" for p in lead.probes) if lead else ""
    # A step of induction begins in any state; registers without a first value have any.
    zero = "" if inductive else " = 0"
    begin = "wire init = 0;" if inductive else "reg init = 1;\n  always @(posedge clk) init <= 0;"
    return f"""module formal_top (
  input clk, input rst_in, input [{taken - 1}:0] s_data, input [{inputs - 1}:0] s_valid,
  input [{outputs - 1}:0] m_ready, input mark{shown}
);
  {begin}
  wire rst = init | rst_in;
  wire [{inputs - 1}:0] s_ready;
  wire [{outputs * width - 1}:0] m_data;
  wire [{outputs - 1}:0] m_valid;
  wire step;
  {instance.module} #({parameters}) dut (
    .clk(clk), .rst(rst), .s_axis_tdata(s_data), .s_axis_tvalid(s_valid), .s_axis_tready(s_ready),
    .m_axis_tdata(m_data), .m_axis_tvalid(m_valid), .m_axis_tready(m_ready), .step(step)
  );
  wire take = &(s_valid & s_ready);
  wire give = m_valid[{one}] & m_ready[{one}];
  wire [{width - 1}:0] beat = m_data[{one * width}+:{width}];

  // What was offered in the cycle before.
  reg known{zero}, was_rst{zero};
  reg [{outputs - 1}:0] held;
  reg [{outputs * width - 1}:0] held_data;
  always @(posedge clk) begin
    known <= !rst;
    was_rst <= rst;
    held <= m_valid & ~m_ready;
    held_data <= m_data;
  end

  // Positions in the frames at both ends; frames that came in less those that went out.
  reg [{ip - 1}:0] ip{zero};
  reg [{op - 1}:0] op{zero};
  reg signed [{ahead - 1}:0] ahead{zero};
  wire in_last = take && ip == {beats_in - 1};
  wire out_last = give && op == {beats_out - 1};
  always @(posedge clk)
    if (rst) begin
      ip <= 0;
      op <= 0;
      ahead <= 0;
    end else begin
      if (take) ip <= in_last ? 0 : ip + 1;
      if (give) op <= out_last ? 0 : op + 1;
      if (in_last && !out_last) ahead <= ahead + 1;
      if (out_last && !in_last) ahead <= ahead - 1;
    end

  // One frame, at any time, is marked; one output beat of it, any, is watched.
  (* anyconst *) reg [{op - 1}:0] watched;
  always @* assume (watched < {beats_out});
  reg marked{zero}, arrives{zero};
  reg signed [{ahead - 1}:0] before;  // frames that leave before it
  wire starts = mark && !marked && take && ip == 0;
  always @(posedge clk)
    if (rst) begin
      marked <= 0;
      arrives <= 0;
    end else begin
      if (starts) begin
        marked <= 1;
        before <= out_last ? ahead - 1 : ahead;
      end else if (marked && out_last) begin
        if (before == 0) marked <= 0;
        before <= before - 1;
      end
      if (take) arrives <= (starts || arrives) && !in_last;
    end
{_captured(facts)}
{_expected(facts)}
{_table("last", facts, [beat.last + 1 for beat in facts.output_beats], beats_in)}
{_table("need", facts, facts.needs, beats_in)}
{_table("room", facts, facts.room, 0)}
{_table("accept", facts, facts.accepts, 0)}
  wire signed [15:0] inside = ahead * {beats_in} + $signed({{1'b0, ip}});
  wire arrived = ahead > 0 || (ahead == 0 && ip >= need);
  wire possible = ahead > 0 || (ahead == 0 && ip >= last) || last == 0;
  reg [{waits - 1}:0] waits{zero}, idle{zero};
  always @(posedge clk) begin
    waits <= rst || give || !m_ready[{one}] || !arrived ? 0 : waits + 1;
    idle <= rst || take || |(m_valid & m_ready) || !(&s_valid) || !(&m_ready) ? 0 : idle + 1;
  end
{body}
endmodule
"""


def _led(lead: Invariant | None, inductive: bool) -> list[str]:
    """The helper invariants, assumed in every cycle, or proved by one step of induction."""
    if lead is None:
        return []
    holds = [f"wire holds_{place} = {text};" for place, text in enumerate(lead.holds)]
    every = " && ".join(f"holds_{place}" for place in range(len(holds)))
    lines = [*lead.declared, *holds, f"wire holds = {every};"]
    if not inductive:
        return [*lines, "always @* if (!init) assume (holds);"]
    return [
        *lines,
        "reg [1:0] age = 0;",
        "always @(posedge clk) if (age != 2) age <= age + 1;",
        "always @* if (age == 0) assume (holds || rst);",
        "always @* if (age == 1) assert (holds);",
    ]


def _asserted(name: str, facts: Facts) -> list[str]:
    width, outputs = facts.out_width, len(facts.kernel.outputs)
    if name == "data":
        return [
            f"always @* if (known && held[{i}]) "
            f"assert (m_data[{i * width}+:{width}] == held_data[{i * width}+:{width}]);"
            for i in range(outputs)
        ]
    inputs = len(facts.in_widths)
    condition = {
        "valid": ("known", "(held & ~m_valid) == 0"),
        "quiet": ("was_rst", "m_valid == 0"),
        "joined": ("!init", f"(s_valid & s_ready) == 0 || (s_valid & s_ready) == {2**inputs - 1}"),
        "value": (
            f"!init && marked && before == 0 && op == watched && m_valid[{facts.output}]",
            "beat == expected",
        ),
        "order": (f"!init && m_valid[{facts.output}]", "possible"),
        "answer": ("!init", f"waits < {facts.patience}"),
        "moves": ("!init", f"idle < {facts.patience}"),
        "inside": ("!init", "ahead >= -1 && inside <= room"),
        "accepts": ("!init && inside < accept", "&s_ready"),
    }[name]
    return [f"always @* if ({condition[0]}) assert ({condition[1]});"]


def _table(name: str, facts: Facts, values: list[int], most: int) -> str:
    """A number for each output beat, by `op`."""
    kind = "signed [15" if name in ("room", "accept") else f"[{bits_for(most + 1) - 1}"
    lines = [f"  reg {kind}:0] {name};", "  always @* case (op)"]
    lines += [f"    {place}: {name} = {value};" for place, value in enumerate(values)]
    return "\n".join([*lines, f"    default: {name} = 0;", "  endcase"])


def _captured(facts: Facts) -> str:
    """The bits that decide the watched output beat, kept as they come in."""
    beats = facts.output_beats
    most = max(1, *(len(beat.bits) for beat in beats))
    lines = [
        f"  reg [{most - 1}:0] kept;",
        "  always @(posedge clk) if (take && (starts || arrives))",
    ]
    lines += ["    case (watched)"]
    for number, beat in enumerate(beats):
        lines.append(f"      {number}: begin")
        lines += [
            f"        if (ip == {at}) kept[{place}] <= s_data[{bit}];"
            for place, (at, bit) in enumerate(beat.bits)
        ]
        lines.append("      end")
    return "\n".join([*lines, "      default: ;", "    endcase"])


def _expected(facts: Facts) -> str:
    """The value of the watched output beat, from the reference."""
    beats, width = facts.output_beats, facts.out_width
    lines = [f"  reg [{width - 1}:0] expected;"]
    kinds: dict[tuple[int, ...], list[int]] = {}
    for number, beat in enumerate(beats):
        kinds.setdefault(beat.table, []).append(number)
    lines += ["  always @* begin", "    expected = 0;", "    case (watched)"]
    for table, numbers in kinds.items():
        lines.append(f"      {', '.join(map(str, numbers))}:")
        if len(table) > 1 and table == tuple(range(len(table))):
            lines.append("        expected = kept;")
        else:
            index = bits_for(len(table))
            lines.append(
                f"        case (kept[{index - 1}:0])" if len(table) > 1 else "        case (0)"
            )
            lines += [f"          {code}: expected = {value};" for code, value in enumerate(table)]
            lines += ["          default: ;", "        endcase"]
    return "\n".join([*lines, "      default: ;", "    endcase", "  end"])
