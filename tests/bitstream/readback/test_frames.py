# SPDX-License-Identifier: BSD-3-Clause
"""Bitstreams of a small device -> frames -> features, with a database of the same form."""

import json
import struct

import numpy as np
import pytest

from bonn_hw.bitstream.open.fasm import Feature
from bonn_hw.bitstream.open.xray import Database, assemble
from bonn_hw.bitstream.readback import features, frames
from bonn_hw.bitstream.readback.frames import ReadbackFault

ID = 0x3727093
NOTHING, WRITE_ID, WRITE_FAR, WRITE_FDRI = 0x20000000, 0x30018001, 0x30002001, 0x30004000
# A row of each half and of each kind of frames: addresses in the order of the bitstream.
ADDRESSES = [0, 1, 2, 0x80, 0x400000, 0x400001, 0x400002, 0x400080, 0x800000, 0xC00000]
SEGBITS = """CLB.A.INIT[00] 1_1
CLB.A.INIT[01] 1_2
CLB.A.INIT[10] 1_33
CLB.MUX.X 0_0 !0_1
CLB.MUX.Y !0_0 0_1
CLB.MUX.Z 0_0 0_1
CLB.DEFAULT !2_5
"""


def columns(*counts):
    return {str(index): {"frame_count": count} for index, count in enumerate(counts)}


@pytest.fixture
def part(tmp_path):
    buses = {
        "CLB_IO_CLK": {"configuration_columns": columns(3, 1)},
        "BLOCK_RAM": {"configuration_columns": columns(1)},
    }
    half = {"rows": {"0": {"configuration_buses": buses}}}
    facts = {"idcode": ID, "global_clock_regions": {"top": half, "bottom": half}}
    (tmp_path / "small-1").mkdir()
    path = tmp_path / "small-1" / "part.json"
    path.write_text(json.dumps(facts))
    return path


@pytest.fixture
def database(tmp_path):
    bits = {"CLB_IO_CLK": {"baseaddr": "0x00400000", "frames": 3, "offset": 7, "words": 2}}
    memory = {"BLOCK_RAM": {"baseaddr": "0x00C00000", "frames": 1, "offset": 0, "words": 10}}
    grid = {
        "CLB_X1Y2": {"type": "CLB", "grid_x": 5, "grid_y": 6, "bits": bits},
        "BRAM_X1Y0": {"type": "BRAM", "grid_x": 6, "grid_y": 6, "bits": memory},
        "NULL_X0Y0": {"type": "NULL", "grid_x": 0, "grid_y": 0, "bits": {}},
    }
    (tmp_path / "small").mkdir()
    (tmp_path / "small" / "tilegrid.json").write_text(json.dumps(grid))
    (tmp_path / "segbits_clb.db").write_text(SEGBITS)
    (tmp_path / "segbits_bram.block_ram.db").write_text("BRAM.RAM.INIT_00[003] 00_48\n")
    return Database(tmp_path, "small", "small-1")


def words_of(bits):
    """All frames, with their check bits."""
    words = np.zeros((len(ADDRESSES), 101), np.uint32)
    for address, word, bit in bits:
        words[ADDRESSES.index(address), word] |= np.uint32(1 << bit)
    words[:, 50] |= frames.check_bits(words)
    return words


def bit_file(words, identity=ID, far=0):
    padding = np.zeros((2, 101), np.uint32)
    rows = [words[:4], padding, words[4:8], padding, words[8:9], padding, words[9:], padding]
    data = np.concatenate(rows).reshape(-1)
    head = [NOTHING, WRITE_ID, identity, WRITE_FAR, far, WRITE_FDRI, 0x50000000 | data.size]
    body = np.concatenate([np.array(head, np.uint32), data]).astype(">u4").tobytes()
    return b"a header" + b"\xff" * 8 + b"\xaa\x99\x55\x66" + body + struct.pack(">I", NOTHING)


def test_check_bits_of_frames_that_xc7frames2bit_wrote():
    recorded = (
        {5: 0x20000000, 50: 0x1EFA, 78: 0x80},
        {50: 0x1F4D, 94: 0x40000000, 97: 0x4000, 100: 0x20000000},
        {0: 0x100, 42: 0x11000000, 48: 0x10000000, 50: 0x840A55},
    )
    words = np.zeros((len(recorded) + 1, 101), np.uint32)
    for row, frame in zip(words, recorded, strict=False):
        for index, value in frame.items():
            row[index] = value
    np.testing.assert_array_equal(frames.check_bits(words), words[:, 50] & 0x1FFF)


def test_every_bit_has_check_bits_of_its_own():
    words = np.zeros((101 * 32, 101), np.uint32)
    places = np.arange(len(words))
    words[places, places // 32] = np.uint32(1) << (places % 32).astype(np.uint32)
    found = frames.check_bits(words)
    data = [place for place in places if place // 32 != 50 or place % 32 >= 13]
    assert len(set(found[data].tolist())) == len(data)
    assert all(bin(value).count("1") % 2 for value in found[data].tolist())  # with even weight: two


def test_frames_and_features(part, database):
    wanted = [
        Feature("CLB_X1Y2", "MUX.Z"),
        Feature("CLB_X1Y2", "A.INIT", 10),
        Feature("CLB_X1Y2", "A.INIT", 1),
        Feature("BRAM_X1Y0", "RAM.INIT_00", 3),
    ]
    read = frames.read(bit_file(words_of(assemble(wanted, database))), part)
    assert list(read.addresses) == ADDRESSES
    enabled = features.decode(read, database)
    default = Feature("CLB_X1Y2", "DEFAULT")  # its bit is 0, so it is there
    assert set(features.listed(enabled)) == {*wanted, default}
    assert enabled["CLB_X1Y2"].vectors == {"A.INIT": 0b100_0000_0010}
    assert enabled["CLB_X1Y2"].bit("MUX.Z") and not enabled["CLB_X1Y2"].bit("MUX.X")
    assert "NULL_X0Y0" not in enabled


def test_a_bit_of_no_feature(part, database):
    words = words_of({(0x400002, 7, 9), (0x400002, 8, 1)})
    with pytest.raises(ReadbackFault) as error:
        features.decode(frames.read(bit_file(words), part), database)
    assert str(error.value) == (
        "bit 9 of word 7 of frame 0x00400002 is 1 and belongs to no feature (2 such bits)"
    )


def flipped(words):
    words[4, 7] ^= 1
    return bit_file(words)


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (lambda words: b"no bitstream", "this is not a bitstream: it has no synchronisation word"),
        (
            lambda words: bit_file(words, identity=1),
            "the bitstream is for a device with ID 0x1, and small-1 has 0x3727093",
        ),
        (lambda words: bit_file(words, far=5), "frames begin at address 0x5, and must at 0"),
        (
            lambda words: bit_file(words)[:1000],
            "the bitstream has 238 words of frames, and must have 1818",
        ),
        (
            lambda words: b"\xaa\x99\x55\x66\xff\xff\xff\xff",
            "word 0 after the synchronisation, 0xffffffff, is unknown",
        ),
        (flipped, "frame 0x00400000 has wrong check bits (1 frames have)"),
    ],
)
def test_what_is_not_a_bitstream_of_the_part(part, made, message):
    with pytest.raises(ReadbackFault) as error:
        frames.read(made(words_of({(0x400000, 3, 1)})), part)
    assert str(error.value) == message
