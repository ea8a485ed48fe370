# SPDX-License-Identifier: BSD-3-Clause
"""The proof within `bonn-hw bitstream`; the router's part is replaced, it takes minutes."""

import pytest

from bonn_hw.bitstream import make
from bonn_hw.bitstream.open import seven_series
from bonn_hw.bitstream.readback import proof, shell_registers
from bonn_hw.bitstream.readback.frames import ReadbackFault
from bonn_hw.bitstream.tool_runs import Result
from bonn_hw.cli.main import main
from bonn_hw.driver import registers as reg
from bonn_hw.report.figures import PerResource
from bonn_hw.report.section_values import Implemented, ImplementedAmount
from bonn_hw.report.values import Seconds, Timing
from tests.support.sketch import Sketch


@pytest.fixture(scope="module")
def build(tmp_path_factory):
    folder = tmp_path_factory.mktemp("small")
    model = Sketch(1, 4, 4).quant(4, scale=0.25).sign().flatten().few_bit_dense(16, 3).write(folder)
    command = ["compile", str(model), "--board", "pynq-z2", "--fps", "1000"]
    assert main([*command, "--out", str(folder / "build")]) == 0
    return folder / "build"


@pytest.fixture
def asked(build, monkeypatch, tmp_path):
    """What the proof is asked; the bitstream is a file of a few bytes."""
    (tmp_path / "accelerator.bit").write_bytes(b"bits")
    figures = Implemented(
        tool="none",
        resources=PerResource(*map(ImplementedAmount, (1, 1, 0, 0))),
        timing=Timing(wns_ns=1.0, whs_ns=None, clock_mhz=100.0, fmax_mhz=110.0, worst_path=None),
        seconds=Seconds(synthesis=1.0, place_and_route=1.0, frames=1.0),
    )
    made = Result(tmp_path, figures, address=0x40000000)
    monkeypatch.setattr(make, "_flow", lambda *_: lambda progress: made)
    monkeypatch.setattr(seven_series, "database_of", lambda board: "database")
    calls = []

    def prove(bitstream, database, placed, images, expected, progress):
        assert placed == tmp_path / "netlist.json.gz"
        assert bitstream.read_bytes() == b"bits" and bitstream.with_suffix(".json").is_file()
        calls.append((database, images.shape, expected.shape))
        if len(calls) > 1:
            raise ReadbackFault("nothing drives a pin")
        return proof.Proof(len(images), 10, 20, 3, 1000, 0.5)

    monkeypatch.setattr(proof, "prove", prove)
    return calls


def test_every_open_bitstream_is_proved_and_packed_after_that(build, asked, tmp_path, capsys):
    command = ["bitstream", str(build), "--tool", "open"]
    assert main(command) == 0
    assert asked == [("database", (256, 1, 4, 4), (256, 3))]
    packed = build / "board" / "accelerator.bit"
    packed.write_bytes(b"earlier")
    assert main(command) == 2
    told = " ".join(capsys.readouterr().err.split())
    assert told.endswith(
        "the bitstream for pynq-z2 is not proved from its bits: nothing drives a pin; report this, "
        f"with {tmp_path}; --no-proof packs it nevertheless"
    )
    assert packed.read_bytes() == b"earlier"
    assert main([*command, "--no-proof"]) == 0
    assert (packed.read_bytes(), len(asked)) == (b"bits", 2)


def test_what_was_shown_as_text():
    assert str(proof.Proof(364, 10, 20, 3, 1000, 0.5)) == (
        "364 images: bits -> 10 tables, 20 registers, 3 memories -> equal to what was placed, with "
        "the expected answers"
    )


class Shell:
    """Registers as docs/shell.md says; ``wrong`` changes what a read answers."""

    def __init__(self, wrong=lambda offset, value: value):
        self.values, self.wrong = dict.fromkeys(range(0, 4096, 4), 0), wrong

    def read(self, offset):
        return self.wrong(offset, self.values[offset])

    def write(self, offset, value):
        if offset == reg.ERRORS:
            self.values[reg.ERRORS] &= ~value
        elif offset == reg.CONTROL and value == reg.RESET:
            self.values[reg.STATUS] = 0
        elif offset == reg.CONTROL:
            self.start()
        else:
            self.values[offset] = value

    def start(self):
        values = self.values
        if values[reg.STATUS] == reg.BUSY or not values[reg.FRAMES]:
            values[reg.ERRORS] |= reg.REFUSED
            return
        values[reg.STATUS] = reg.BUSY
        if values[reg.IN_ADDRESS]:
            values[reg.ERRORS] = reg.READ_FAILED
        elif values[reg.WATCHDOG]:
            values[reg.ERRORS] = reg.WATCHDOG_BIT

    def advance(self, cycles):
        if self.values[reg.ERRORS] & ~reg.REFUSED:
            self.values[reg.STATUS] = reg.ERROR
        if self.values[reg.INTERRUPT] and self.values[reg.STATUS]:
            return 0
        return cycles


def test_the_registers_of_the_shell():
    shell_registers.check(Shell())
    stuck = Shell(lambda offset, value: value | 2 * (offset == reg.FRAMES))
    with pytest.raises(ReadbackFault) as error:
        shell_registers.check(stuck)
    assert str(error.value) == "the register 0x060 is 0x55555557, and must be 0x55555555"
    deaf = Shell(lambda offset, value: value & ~reg.WATCHDOG_BIT if offset == reg.ERRORS else value)
    with pytest.raises(ReadbackFault, match=r"^the register 0x04c is 0x0, and must be 0x4$"):
        shell_registers.check(deaf)
    silent = Shell()
    silent.advance = lambda cycles: Shell.advance(silent, cycles) or cycles
    with pytest.raises(ReadbackFault, match=r"^the interrupt is wrong after a run with errors 1$"):
        shell_registers.check(silent)
