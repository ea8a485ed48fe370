# SPDX-License-Identifier: BSD-3-Clause
"""`bonn-hw bitstream` for boards with a serial line: iCEBreaker, Tang Nano 20K, Arty A7."""

import json
from pathlib import Path

import numpy as np
import pytest

from bonn_hw.bitstream.open import gowin, ice40, seven_series, toolchain
from bonn_hw.bitstream.readback import circuit, equality, features, frames
from bonn_hw.bitstream.readback.boundary import pads_of
from bonn_hw.bitstream.readback.features import Enabled
from bonn_hw.bitstream.readback.frames import ReadbackFault
from bonn_hw.bitstream.readback.placed import read
from bonn_hw.bitstream.readback.wiring import Wiring
from bonn_hw.boards import board
from bonn_hw.build_folder import Build
from bonn_hw.cli.main import main
from bonn_hw.driver import SerialAccelerator
from bonn_hw.errors import ToolMissing
from tests.support.environment import absent
from tests.support.ice40_netlist import verilog
from tests.support.readback_verilog import verilog as verilog_of_bits
from tests.support.serial_line import SimulatedPort
from tests.support.sketch import Sketch

ZOO = Path(__file__).parents[3] / "zoo" / "digits"
PORTS = {"CLK": "clk", "RX": "rxd", "TX": "txd"}


SUFFIX = {12: ".bin", 100: ".bit"}  # of the bitstream, by the clock


def answered(folder, images, patience, netlist, cycles=12):
    """The answers of a netlist, as Verilog, over the line, and those expected."""
    build = Build.load(folder)
    port = SimulatedPort(build.design, patience=patience, cycles=cycles, netlist=netlist)
    file = folder / "board" / f"accelerator{SUFFIX[cycles]}"
    with SerialAccelerator(file, port, check=False) as accelerator:
        found = accelerator.predict(images)
    return found, build.host.decode(build.design.graph.run(build.host.encode(images)))


def made(board, folder, capsys):
    """The bitstream of a small network, and what was told."""
    model = Sketch(1, 4, 4).quant(4, scale=0.25).sign().flatten().few_bit_dense(16, 3)
    command = ["compile", str(model.write(folder)), "--board", board, "--fps", "1000"]
    assert main([*command, "--out", str(folder / "build")]) == 0
    assert main(["bitstream", str(folder / "build")]) == 0
    return folder / "build", " ".join(capsys.readouterr().out.split())


@pytest.mark.rtl
def test_a_small_network_on_an_icebreaker(tmp_path, capsys):
    """The netlist that was routed answers over its serial line."""
    folder, told = made("icebreaker", tmp_path, capsys)
    assert "bitstream for icebreaker (iCE40UP5K-SG48I) by yosys" in told
    facts = json.loads((folder / "report.json").read_text())
    assert facts["timing"]["fmax_mhz"] > facts["timing"]["clock_mhz"] == 12
    assert facts["resources"]["ff"]["implemented"] > 100
    metadata = json.loads((folder / "board" / "accelerator.json").read_text())
    assert metadata["baud"] == 1_000_000
    # The packed file begins with the synchronisation word of Project IceStorm's format.
    assert b"\x7e\xaa\x99\x7e" in (folder / "board" / "accelerator.bin").read_bytes()[:64]
    images = np.random.default_rng(1).normal(size=(2, 1, 4, 4)).astype(np.float32)
    netlist = verilog(folder / "system" / "bitstream" / ice40.PLACED, PORTS)
    found, expected = answered(folder, images, 6_000, netlist)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.rtl
def test_a_small_network_on_an_arty(tmp_path, capsys):
    """The bits of the finished file answer over the serial line; faults at its pads are found."""
    try:
        toolchain.find("xc7a50t", "xc7a35tcsg324-1")
    except ToolMissing as error:
        absent(f"open place and route ({error})")
    folder, told = made("arty-a7-35t", tmp_path, capsys)
    assert "bitstream for arty-a7-35t (xc7a35tcsg324-1) by yosys" in told
    facts = json.loads((folder / "report.json").read_text())
    assert facts["timing"]["fmax_mhz"] > facts["timing"]["clock_mhz"] == 100

    database = seven_series.database_of(board("arty-a7-35t"))
    placed = folder / "system" / "bitstream" / seven_series.PLACED
    asked = read(placed, {"CLK": "E3", "RX": "A9", "TX": "D10"})
    assert (asked.clock, set(asked.netlist.outputs)) == ("E3", {"D10"})
    pads = pads_of(database, ["D10"], asked.clock)
    file = folder / "board" / "accelerator.bit"
    bits = frames.read(file.read_bytes(), database.part_file.with_name("part.json"))
    enabled, wiring = features.decode(bits, database), Wiring(database)
    netlist = circuit.read(enabled, wiring, pads)
    assert equality.difference(netlist, asked) is None
    images = np.random.default_rng(1).normal(size=(2, 1, 4, 4)).astype(np.float32)
    text = verilog_of_bits(netlist, {"A9": "rxd", "D10": "txd"})
    found, expected = answered(folder, images, 60_000, text, cycles=100)
    np.testing.assert_array_equal(found, expected)

    for tile, name, told in (
        ("LIOI3_X0Y111", "OLOGIC_Y1.IS_D1_INVERTED", "OQ is more than D1"),
        ("LIOI3_X0Y111", "OLOGIC_Y1.OQUSED", "OQ does not pass D1 on"),
        ("LIOI3_X0Y121", "ILOGIC_Y1.ZINV_D", "O does not pass D on"),
        ("LIOB33_X0Y121", "IOB_Y0.LVCMOS33_LVTTL.DRIVE.I12_I8", "the pads A10, D10 are driven"),
        ("RIOI3_X43Y75", "ILOGIC_Y0.ZINV_D", "O does not pass D on"),  # the clock's
    ):
        wrong = {**enabled, tile: Enabled(enabled[tile].names ^ {name})}
        with pytest.raises(ReadbackFault, match=told):
            circuit.read(wrong, wiring, pads)


@pytest.mark.large
@pytest.mark.torch
@pytest.mark.parametrize(
    ("name", "suffix", "lut", "factor"),
    [
        ("icebreaker", ".bin", 5280, 4.5),
        ("tang-nano-20k", ".fs", 20736, 4.0),
        ("arty-a7-35t", ".bit", 20800, 2.5),
    ],
)
def test_the_demo(tmp_path, name, suffix, lut, factor):
    """It fits, in what was predicted, and faster than the board's oscillator."""
    model, folder = str(tmp_path / "digits.onnx"), tmp_path / "build"
    assert main(["export", str(ZOO), "--out", model]) == 0
    options = ["--board", name, "--fps", "300", "--checkpoint", str(ZOO), "--out", str(folder)]
    assert main(["compile", model, *options]) == 0
    assert main(["bitstream", str(folder)]) == 0
    facts = json.loads((folder / "report.json").read_text())
    assert facts["timing"]["fmax_mhz"] > 30
    used = facts["resources"]["lut"]
    assert used["implemented"] < min(lut, factor * used["predicted"])
    assert (folder / "board" / f"accelerator{suffix}").is_file()
    if name == "icebreaker":
        images = Build.load(folder).host.random_frames(2)
        netlist = verilog(folder / "system" / "bitstream" / ice40.PLACED, PORTS)
        found, expected = answered(folder, images, 60_000, netlist)
        np.testing.assert_array_equal(found, expected)


def test_names_of_devices():
    """Delays, and the family, follow from the name of the device."""

    class Device:
        top = "top"

    for device, delays in (("up5k", "u"), ("hx8k", "hx"), ("lp1k", "lp")):
        Device.device = device
        assert f"-device {delays} -top top" in ice40.CHAIN.synthesis(Device)[0]
    Device.device = "GW1N-9C"
    assert "-family gw1n " in gowin.CHAIN.synthesis(Device)[0]
