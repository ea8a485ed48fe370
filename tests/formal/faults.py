# SPDX-License-Identifier: BSD-3-Clause
"""For each property a fault in the RTL that breaks it: a proof that cannot fail proves nothing."""

from tests.formal.engine import Case
from tests.formal.points import points

# property, point, file, text, what stands there instead
FAULTS = (
    ("valid", "pad_0", "pad.sv", "m_axis_tvalid <= step || !ce;", "m_axis_tvalid <= step;"),
    ("data", "max_pool_3", "max_pool.sv", "if (step) m_axis_tdata <=", "m_axis_tdata <="),
    ("quiet", "stream_fork_0_1", "stream_fork.sv", "if (rst) m_axis_tvalid <= '0;\n    else ", ""),
    ("quiet", "add_0", "add.sv", "if (rst) m_axis_tvalid <= 1'b0;\n    else ", ""),
    ("quiet", "threshold_0", "threshold.sv", "if (rst) m_axis_tvalid <= 1'b0;\n    else ", ""),
    ("joined", "add_0", "add.sv", "= {2{step}};", "= {2{ce}};"),
    ("value", "label_select_1", "label_select.sv", "if (rst) base <= '0;\n      else ", ""),
    ("value", "sliding_window_1", "sliding_window.sv",
     "Pitch > TapRow ? TapRow : Pitch;", "Pitch;"),
    ("value", "sliding_window_2", "sliding_window.sv", "int'(x) < Cols)", "int'(x) <= Cols)"),
    ("value", "mvu_8", "mvu.sv", ".step(level_read && vector_last)", ".step(level_read)"),
    ("order", "copy_channels_1", "copy_channels.sv", "step = ce && one_q;", "step = ce;"),
    ("answer", "pad_0", "pad.sv", "(s_axis_tvalid || !in_frame)", "s_axis_tvalid"),
    ("moves", "upsample_0", "upsample.sv", "fill_q > distance_q;", "fill_q > distance_q + 1'b1;"),
    ("accepts", "fifo_3", "fifo.sv", "!= (PlaceBits + 1)'(DEPTH - 1)",
     "!= (PlaceBits + 1)'(DEPTH - 2)"),
    ("inside", "fifo_3", "fifo.sv", "!= (PlaceBits + 1)'(DEPTH - 1)",
     "!= (PlaceBits + 1)'(DEPTH)"),
)  # fmt: skip

# Faults that a helper invariant finds.
LED = (
    ("sliding_window_5", "sliding_window.sv",
     "full_q <= !(step && frees) &&", "full_q <= !step &&"),
    ("sliding_window_5", "sliding_window.sv", "if (step) read_q <= read_q + jump;",
     "if (step) read_q <= read_q + 1'b1;"),
)  # fmt: skip


def faulty() -> list[Case]:
    """The cases, each with the one property that finds its fault."""
    found = points()
    return [
        Case(f"fault_{place}_{name}_{point}", found[point], (name,), (file, ours, wrong))
        for place, (name, point, file, ours, wrong) in enumerate(FAULTS)
    ] + [
        Case(f"fault_{place}_lead_{point}", found[point], (), (file, ours, wrong), led=True)
        for place, (point, file, ours, wrong) in enumerate(LED)
    ]
