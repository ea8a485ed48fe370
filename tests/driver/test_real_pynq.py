# SPDX-License-Identifier: BSD-3-Clause
"""The driver on the real pynq, over the simulated shell: what ships, down to the RTL."""

import json
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from bonn_hw import pipeline
from bonn_hw.bitstream.pack import pack
from bonn_hw.bitstream.vivado.plan import ADDRESSES
from bonn_hw.board_sim import SimulatedBoard
from bonn_hw.boards import board
from bonn_hw.emit.system import emit_system
from tests.bitstream.vivado.stand_in.headers import bit_file
from tests.support import real_pynq
from tests.support.checks import checked
from tests.support.sketch import Sketch

pytestmark = pytest.mark.rtl
SESSION = Path(real_pynq.__file__).with_name("pynq_session.py")
CLOCK_MHZ = 150.0  # which the PLL of a PYNQ-Z2, 1000 MHz, does not have


@pytest.fixture(scope="module")
def build(tmp_path_factory):
    folder = tmp_path_factory.mktemp("real_pynq")
    sketch = Sketch(2, 4, 4).quant(6, scale=0.25).sign().conv(2, 2, pads=[1] * 4)
    model = sketch.sign().flatten().few_bit_dense(32, 3).write(folder)
    target = pipeline.Target(board("pynq-z2"), CLOCK_MHZ, 500_000)
    pipeline.compile_model(model, target, folder / "build")
    return pipeline.Build.load(folder / "build")


@pytest.fixture(scope="module")
def packed(build, tmp_path_factory):
    """The folder for the board, as from Vivado: with a .hwh that pynq could not read."""
    folder = tmp_path_factory.mktemp("packed")
    made = folder / "made"
    made.mkdir()
    (made / "accelerator.bit").write_bytes(bit_file("board_wrapper", "xc7z020clg400-1", "2022.1"))
    (made / "accelerator.hwh").write_text("<EDKSYSTEM/>\n")
    address = ADDRESSES["zynq-7000"]
    pack(build.design, build.host, build.report, folder / "board", "accelerator", made, address)
    # The driver waits by the wall clock, and the simulated shell is slower than a board.
    file = folder / "board/bonn_driver/accelerator.py"
    file.write_text(file.read_text().replace("PATIENCE = 8 ", "PATIENCE = 80_000 "))
    return folder / "board"


@pytest.fixture(scope="module")
def shell(build):
    with SimulatedBoard(checked(emit_system(build.design, CLOCK_MHZ), build.design)) as simulated:
        yield simulated


def serve(shell, server):
    """Registers and memory for one program."""
    connection, _ = server.accept()
    with connection, connection.makefile("rwb") as file:
        for line in file:
            kind, *words = json.loads(line)
            answer = None
            if kind == "read":
                shell.advance(2000)
                answer = shell.read(*words)
            elif kind == "write":
                shell.write(*words)
            elif kind == "store":
                shell.store(words[0], bytes.fromhex(words[1]))
            else:
                answer = shell.load(*words).hex()
            file.write(json.dumps(answer).encode() + b"\n")
            file.flush()


@pytest.mark.parametrize("version", real_pynq.VERSIONS)
def test_the_driver_on_the_real_pynq(build, packed, shell, tmp_path, version):
    images = np.random.default_rng(0).normal(size=(6, 2, 4, 4)).astype(np.float32)
    np.save(tmp_path / "images.npy", images)
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=serve, args=(shell, server), daemon=True)
        thread.start()
        port = str(server.getsockname()[1])
        command = [sys.executable, str(SESSION), str(packed), str(tmp_path), port]
        environment = {**os.environ, "PYTHONPATH": real_pynq.path(version)}
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        thread.join(10)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["version"] == version

    # It was loaded alone, memory's port was made 64 bits wide, and buffers are in the caches.
    answers = build.host.decode(build.design.graph.run(build.host.encode(images)))
    np.testing.assert_array_equal(np.load(tmp_path / "answers.npy"), answers)
    assert told["loaded"] == [52]
    assert told["port"] == [2, 0xF00]
    assert told["cacheable"] == [1, 1]

    # 1000 MHz / 7 is the next clock below the planned one; the speed is told at that clock.
    speed = told["benchmark"]
    assert speed["clock_mhz"] == told["fclk0_mhz"] == pytest.approx(1000 / 7)
    assert speed["interval_cycles"] == build.report.cycles_per_frame.predicted
    rate = speed["clock_mhz"] * 1e6 / speed["interval_cycles"]
    assert speed["frames_per_second_at_clock"] == pytest.approx(rate)

    user, no_xrt, no_board = told["without a board"]
    assert user.startswith("pynq cannot use the board (RuntimeError: No Devices Found): only root")
    assert "'sudo -E python3' in a login shell" in user
    assert "XRT is not set up: 'sudo -E python3' in a login shell" in no_xrt
    assert no_board.endswith("run this on a PYNQ board, with an image of PYNQ")
