# SPDX-License-Identifier: BSD-3-Clause
"""`bonn-hw bitstream` for an iCEBreaker (iCE40 UP5K) and a Tang Nano 20K (Gowin GW2AR-18)."""

import json
from pathlib import Path

import numpy as np
import pytest

from bonn_hw.bitstream.open import gowin, ice40
from bonn_hw.build_folder import Build
from bonn_hw.cli.main import main
from bonn_hw.driver import SerialAccelerator
from tests.support.ice40_netlist import verilog
from tests.support.serial_line import SimulatedPort
from tests.support.sketch import Sketch

ZOO = Path(__file__).parents[3] / "zoo" / "digits"
PORTS = {"CLK": "clk", "RX": "rxd", "TX": "txd"}


def answered(folder, images, patience):
    """The answers of the netlist after place and route, over the line, and those expected."""
    build, made = Build.load(folder), folder / "system" / "bitstream"
    netlist = verilog(made / ice40.PLACED, PORTS)
    port = SimulatedPort(build.design, patience=patience, cycles=12, netlist=netlist)
    file = folder / "board" / "accelerator.bin"
    with SerialAccelerator(file, port, check=False) as accelerator:
        found = accelerator.predict(images)
    return found, build.host.decode(build.design.graph.run(build.host.encode(images)))


@pytest.mark.rtl
def test_a_small_network_on_an_icebreaker(tmp_path, capsys):
    """The netlist that was routed answers over its serial line."""
    model = (
        Sketch(1, 4, 4).quant(4, scale=0.25).sign().flatten().few_bit_dense(16, 3).write(tmp_path)
    )
    folder = tmp_path / "build"
    command = ["compile", str(model), "--board", "icebreaker", "--fps", "1000"]
    assert main([*command, "--out", str(folder)]) == 0
    assert main(["bitstream", str(folder)]) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "bitstream for icebreaker (iCE40UP5K-SG48I) by yosys" in told
    facts = json.loads((folder / "report.json").read_text())
    assert facts["timing"]["fmax_mhz"] > facts["timing"]["clock_mhz"] == 12
    assert facts["resources"]["ff"]["implemented"] > 100
    metadata = json.loads((folder / "board" / "accelerator.json").read_text())
    assert metadata["baud"] == 1_000_000
    # The packed file begins with the synchronisation word of Project IceStorm's format.
    assert b"\x7e\xaa\x99\x7e" in (folder / "board" / "accelerator.bin").read_bytes()[:64]
    images = np.random.default_rng(1).normal(size=(2, 1, 4, 4)).astype(np.float32)
    found, expected = answered(folder, images, 6_000)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.large
@pytest.mark.torch
@pytest.mark.parametrize(
    ("board", "suffix", "lut", "factor"),
    [("icebreaker", ".bin", 5280, 4.5), ("tang-nano-20k", ".fs", 20736, 4.0)],
)
def test_the_demo(tmp_path, board, suffix, lut, factor):
    """It fits, in what was predicted, and faster than the board's oscillator."""
    model, folder = str(tmp_path / "digits.onnx"), tmp_path / "build"
    assert main(["export", str(ZOO), "--out", model]) == 0
    options = ["--board", board, "--fps", "300", "--checkpoint", str(ZOO), "--out", str(folder)]
    assert main(["compile", model, *options]) == 0
    assert main(["bitstream", str(folder)]) == 0
    facts = json.loads((folder / "report.json").read_text())
    assert facts["timing"]["fmax_mhz"] > 30
    used = facts["resources"]["lut"]
    assert used["implemented"] < min(lut, factor * used["predicted"])
    assert (folder / "board" / f"accelerator{suffix}").is_file()
    if board == "icebreaker":
        images = Build.load(folder).host.random_frames(2)
        found, expected = answered(folder, images, 60_000)
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
