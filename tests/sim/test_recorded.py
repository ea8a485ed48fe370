# SPDX-License-Identifier: BSD-3-Clause
"""Beats from a wave file: accepted ones only, each with its cycle and its data."""

import numpy as np
import pytest

from bonn_hw.sim.recorded import read

WAVES = """$timescale 1ps $end
$scope module top $end
$var wire 1 ! clk $end
$var wire 40 a stream_0_tdata [39:0] $end
$var wire 1 b stream_0_tvalid $end
$var wire 1 c stream_0_tready $end
$var wire 1 d stream_1_tdata $end
$var wire 1 b stream_1_tvalid $end
$var wire 1 c stream_1_tready $end
$upscope $end
$enddefinitions $end
#0
0!
b101 a
0b
1c
0d
#1
1!
#2
1b
b1000000000000000000000000000000000000011 a
#3
b0 a
#4
0c
b111 a
1d
#6
1c
#8
#9
"""


def test_beats(tmp_path):
    file = tmp_path / "w.vcd"
    file.write_text(WAVES)
    found = read(file, {0: 40, 1: 1})
    # Cycle 0: not valid; 1: a beat; 2: not ready; 3 and 4: the same value twice.
    np.testing.assert_array_equal(found[0].cycles, [1, 3, 4])
    np.testing.assert_array_equal(found[0].words, [[3, 128], [7, 0], [7, 0]])
    np.testing.assert_array_equal(found[1].words, [[0], [1], [1]])
    with pytest.raises(ValueError, match="has no signal stream_2_tvalid"):
        read(file, {2: 1})
