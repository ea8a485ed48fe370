# SPDX-License-Identifier: BSD-3-Clause
"""The serial front alone, in four states, with a host whose bits have all lengths it may have."""

from pathlib import Path

import pytest

from bonn_hw.emit.write import templates_folder
from tests.support import event_simulators
from tests.support.four_states import compiled

pytestmark = pytest.mark.rtl
BENCH = Path(event_simulators.__file__).with_name("serial_bench.sv")
PARTS = ("cells/counter", "shell/unpacker", "shell/packer", "shell/sync_fifo")
SERIAL = ("serial_front", "uart_receiver", "uart_sender")


def test_every_byte_bit_and_break(tmp_path):
    names = [*PARTS, *(f"serial/{name}" for name in SERIAL)]
    sources = [templates_folder() / f"{name}.sv" for name in names]
    well, told = compiled([*sources, BENCH], "serial_bench", tmp_path).run(tmp_path)
    assert well and told.startswith("PASSED: "), told
