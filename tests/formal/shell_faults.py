# SPDX-License-Identifier: BSD-3-Clause
"""For each property of the shell's memory reader and writer a fault in the RTL that breaks it."""

from dataclasses import replace

from tests.formal.shell import Bench, reader, writer

READER, WRITER, SPLITTER, QUEUE = (
    f"shell/{name}.sv" for name in ("memory_reader", "memory_writer", "burst_splitter", "sync_fifo")
)
# What breaks, the module that is proved, file, text, what stands there instead.
FAULTS = (
    ("page", reader, SPLITTER, "&word_q[8:4] ? 5'd16 - {1'b0, word_q[3:0]} : 5'd16", "5'd16"),
    ("frame", reader, SPLITTER, "frame_end ? Bits'(FRAME_WORDS) :", ""),
    ("address", reader, SPLITTER, "word_q + 29'(words)", "word_q + 29'd16"),
    (
        "stays",
        reader,
        READER,
        "if (!m_axi_arvalid || m_axi_arready) m_axi_arvalid",
        "m_axi_arvalid",
    ),
    ("room", reader, READER, "promised_q <= Bits'(ROOM - 16)", "promised_q <= Bits'(ROOM - 15)"),
    ("frames", reader, READER, "left_q != '1 && !stop", "!stop"),
    ("quiet", reader, READER, "awaited_q == '0 && !m_axi_arvalid", "!m_axi_arvalid"),
    ("failed", reader, READER, "given && m_axi_rresp[1]", "m_axi_rresp[1]"),
    ("order", reader, QUEUE, "words[written_q[Bits-1:0]] <=", "words[read_q[Bits-1:0]] <="),
    ("asks", reader, READER, "left_q != '1 && !stop", "left_q != '1 && !stop && m_axi_arready"),
    ("stays", writer, WRITER, "else if (m_axi_awready) m_axi_awvalid", "else m_axi_awvalid"),
    ("last", writer, WRITER, "sent_words_q == 5'd1;", "sent_words_q == 5'd2;"),
    ("words", writer, WRITER, "held >= 6'(words)", "held + 6'd1 >= 6'(words)"),
    ("one", writer, WRITER, "&& !m_axi_awvalid && !waiting[3]", "&& !waiting[3]"),
    ("eight", writer, WRITER, "!waiting[3] &&", ""),
    ("room", writer, WRITER, "take = !held[5]", "take = 1'b1"),
    ("wrote", writer, WRITER, "answered && ends_frame", "answered && !ends_frame"),
    ("quiet", writer, WRITER, "waiting == '0 && !m_axi_awvalid", "!m_axi_awvalid"),
    ("failed", writer, WRITER, "answered && m_axi_bresp[1]", "m_axi_bresp[1]"),
    ("begins", writer, WRITER, "ask = !stop &&", "ask = !stop && m_axi_awready &&"),
)


def faulty() -> list[Bench]:
    """Both modules with each fault."""
    found = []
    for place, (name, kind, *fault) in enumerate(FAULTS):
        bench = kind(20)
        file, ours, wrong = fault
        label = f"shell_fault_{place}_{name}_{kind.__name__}"
        found.append(replace(bench, name=label, fault=(file, ours, wrong)))
    return found
