# SPDX-License-Identifier: BSD-3-Clause
"""What stands around an accelerator lints clean: the bus, the serial line, the devices' tops."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from bonn_hw.bitstream.open.flow import files_folder
from bonn_hw.emit.serial import emit_serial
from bonn_hw.emit.system import Slots, digest, emit_system
from bonn_hw.emit.top import emit
from bonn_hw.emit.write import write
from bonn_hw.ir.rtl import Port
from bonn_hw.ir.tensor import BIPOLAR
from bonn_hw.passes.fifo_sizing import size_fifos
from bonn_hw.passes.folding import choose_foldings
from bonn_hw.passes.width_conversion import insert_width_converters
from tests.support import lint
from tests.support.networks import small_cnn

pytestmark = pytest.mark.rtl


@pytest.fixture(scope="module")
def design():
    graph = small_cnn()
    return size_fifos(insert_width_converters(graph, choose_foldings(graph, 800, {}, 380)))


def vendors_cells():
    """The processing system with its ports, and a clock buffer, as Yosys knows them."""
    import pyosys

    text = (Path(pyosys.__file__).parent / "share" / "xilinx" / "cells_xtra.v").read_text()
    start = text.index("module PS7(")
    end = text.index("endmodule", start)
    return f"{text[start:end]}endmodule\nmodule BUFG(input I, output O);\nendmodule\n"


def test_the_digest_is_that_of_the_accelerator_alone(design):
    """The driver compares it: the clock and the bus around it change nothing."""
    ours = emit(design, watched=True)
    for clock in (100.0, 125.0):
        text = emit_system(design, clock).files["system.v"]
        assert f"128'h{digest(ours)[:32]}" in text and f".CLOCK_KHZ({clock * 1000:g})" in text
    whole = {**ours.files, "system.v": "another"}
    assert digest(replace(ours, files=whole)) == digest(ours)
    for name in ours.files:
        other = {**ours.files, name: ours.files[name] + "\n"}
        assert digest(replace(ours, files=other)) != digest(ours)


@pytest.mark.parametrize(
    ("width", "slot"), [(1, 1), (8, 1), (9, 2), (17, 4), (33, 8), (64, 8), (65, 16), (129, 24)]
)
@pytest.mark.parametrize("beats", [1, 3, 8])
def test_slots_are_the_smallest_that_hold_a_beat(width, slot, beats):
    assert Slots.of(Port(width, BIPOLAR, beats)) == Slots(slot, (slot * beats + 7) // 8)


def test_a_serial_line_needs_four_cycles_a_bit(design):
    emit_serial(design, 4.0)
    for clock in (3.0, 4.5):
        with pytest.raises(ValueError, match=rf"a clock of {clock:g} MHz is not a multiple of"):
            emit_serial(design, clock)


@pytest.mark.parametrize(
    ("emitted", "text", "extra"),
    [
        (emit_system, "system.v", ()),
        (emit_serial, "serial_system.v", ()),
        (emit_serial, "serial_system.v", ("ulx3s.v",)),
        (emit_serial, "serial_system.v", ("icebreaker.v",)),
        (emit_serial, "serial_system.v", ("tang_nano_20k.v",)),
        (emit_system, "system.v", ("gp_port.sv", "zynq.v")),
    ],
)
def test_tops_lint_clean(design, tmp_path, emitted, text, extra):
    project = emitted(design, 100.0)
    write(project, tmp_path)
    for name in extra:
        shutil.copyfile(files_folder() / name, tmp_path / name)
    files = [tmp_path / name for name in (*project.templates, "top.v", text, *extra)]
    unused, unconnected = ["UNUSEDSIGNAL"], []
    if "zynq.v" in extra:
        # The processing system has more ports than a design uses.
        (tmp_path / "cells.v").write_text(vendors_cells())
        files.append(tmp_path / "cells.v")
        unused += ["UNDRIVEN", "PINMISSING"]
        unconnected = ["unconnected-port"]
    top = extra[-1].partition(".")[0] if extra else project.top
    assert lint.verilator(top, files, waived=unused) == ""
    assert lint.slang(top, files, waived=unconnected) == ""
