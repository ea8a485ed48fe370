# SPDX-License-Identifier: BSD-3-Clause
"""The shell on the bus of cocotbext-axi: see `peer.py`."""

from pathlib import Path

import numpy as np
import pytest

from bonn_hw import pipeline
from bonn_hw.boards import board
from bonn_hw.emit.system import BUS, digest
from bonn_hw.emit.top import emit
from bonn_hw.emit.write import write
from bonn_hw.ir.stream import pack
from tests.shell.test_shell import Bench, few_bits, wide
from tests.support.cocotb_build import compiled, results

pytestmark = [pytest.mark.rtl, pytest.mark.large]

FRAMES = 9
IDS = (("m_axi_awid", "output"), ("m_axi_arid", "output"), ("m_axi_bid", "input"),
       ("m_axi_rid", "input"))  # fmt: skip
TESTS = {
    *("registers", "runs_without_pauses", "runs_with_every_channel_paused"),
    *("runs_with_memory_paused_mostly", "resets", "faults_of_the_bus", "watchdog"),
    "refusals_and_interrupts",
}


def around(system: str) -> str:
    """A module with the ports that cocotbext-axi expects: the bus has no identifiers."""
    ports = [("aclk", "input", 1), ("aresetn", "input", 1), *BUS, ("interrupt", "output", 1)]
    declared = [f"{kind} wire [{bits - 1}:0] {name}" for name, kind, bits in ports]
    declared += [f"{kind} wire {name}" for name, kind in IDS]
    connected = ", ".join(f".{name}({name})" for name, _, _ in ports)
    lines = [
        "assign m_axi_awid = 1'b0;",
        "assign m_axi_arid = 1'b0;",
        f"{system} dut ({connected});",
    ]
    return "\n".join([f"module peer_top ({', '.join(declared)});", *lines, "endmodule", ""])


def in_memory(bench: Bench) -> dict[str, np.ndarray | str]:
    """Frames and their answers as bytes ``(frames, bytes)``."""
    sink, given = bench.project.sink, bench.given
    values = bench.integers.reshape(FRAMES, -1)
    beats = pack(values, sink.lanes, sink.element).view(np.uint8).reshape(FRAMES, sink.beats, -1)
    slots = np.zeros((FRAMES, sink.beats, given.slot), np.uint8)
    used = min(given.slot, beats.shape[2])
    slots[:, :, :used] = beats[:, :, :used]
    answers = np.zeros((FRAMES, 8 * given.words), np.uint8)
    answers[:, : sink.beats * given.slot] = slots.reshape(FRAMES, -1)
    frames = np.frombuffer(bench.memory, np.uint8).reshape(FRAMES, -1)
    hashed = digest(emit(bench.design, watched=True))[:32]
    return {"frames": frames, "answers": answers, "hash": hashed}


@pytest.mark.parametrize("make", [few_bits, wide], ids=lambda make: make.__name__)
def test_a_bus_that_others_wrote(make, tmp_path):
    rate = 100e6 / (144 if make is few_bits else 4)
    target = pipeline.Target(board("pynq-z2"), 100.0, rate)
    pipeline.compile_model(make(tmp_path), target, tmp_path / "build")
    bench = Bench(pipeline.Build.load(tmp_path / "build"), FRAMES)
    folder = tmp_path / "rtl"
    write(bench.project, folder)
    (folder / "peer_top.v").write_text(around("system"))
    np.savez(folder / "peer.npz", **in_memory(bench))
    sources = [
        *bench.project.templates,
        *(n for n in bench.project.files if n.endswith((".v", ".sv"))),
    ]
    simulator = compiled("peer_top", [*sources, "peer_top.v"], folder)
    module, environment = Path(__file__).with_name("peer.py"), {"PEER": str(folder / "peer.npz")}
    found = results(simulator, "peer_top", module, folder, environment)
    assert found == dict.fromkeys(TESTS, "")
