# SPDX-License-Identifier: BSD-3-Clause
from collections import deque
from collections.abc import Iterator
from itertools import product

import numpy as np
import pytest

from bonn_hw.emit.write import write
from bonn_hw.ir.folding import Folding
from bonn_hw.ir.rtl import Port, RtlProject
from bonn_hw.ir.tensor import BIPOLAR, Element, TensorType
from bonn_hw.kernels.fifo import TAPS, Fifo, Style
from bonn_hw.sim.run import simulate
from bonn_hw.timing.model import run
from tests.support.bench import FRAMES, lone_design, prove, random_values, simulate_design
from tests.support.corners import corners
from tests.support.grids import Grid, Point, even

BITS = TensorType((4, 4, 6), BIPOLAR)
EXAMPLES = [
    Fifo(BITS, 1),
    Fifo(BITS, 5),
    Fifo(BITS, 40),
    Fifo(BITS, 512),
]
ILLEGAL = [
    {"DEPTH": 0},
    {"DEPTH": 1, "STYLE": 1},
    {"DEPTH": 33, "STYLE": 1},
    {"STYLE": 0, "DEPTH": 5},
    {"STYLE": 4},  # of more than two beats
    {"STYLE": 5},
    {"WIDTH": 0},
    {"STYLE": 2, "DEPTH": 8, "TAPS": TAPS[3]},  # which points to seven places
]


def points() -> Iterator[Point]:
    """All depths at which the style changes."""
    depths = (1, 2, 3, 4, 8, 15, 16, 17, 24, 32, 33, 48, 64, 65, 100, 128, 200, 256, 400, 512)
    for depth, width in product((*depths, 1000, 1024, 2048, 5000), (1, 4, 18, 36, 64, 128)):
        if depth * width <= 40_000:
            yield Fifo(TensorType((1, 1, width), BIPOLAR), depth), even(width)


GRID = Grid(points, step=19)


WIDTH = 5
QUEUES = [
    (Style.REGISTER, 1, 0),
    (Style.SKID, 2, 0),
    *((style, depth, 0) for depth in (2, 3, 4, 16, 17, 32) for style in list(Style)[1:4]),
    *((style, depth, 0) for depth in (33, 64, 100) for style in (Style.LUT, Style.BLOCK)),
    *(
        (style, depth, TAPS[depth.bit_length()])
        for depth in (2, 3, 4, 33, 63, 64, 100)
        for style in (Style.LUT, Style.BLOCK)
    ),
]
# Chances of a beat offered and of one taken, cycles: among them filling up, emptying, a beat that
# comes when there is none.
PHASES = [
    *((1, 0, 110), (0, 1, 110), (1, 1, 50), (1, 0, 110), (1, 1, 110), (0, 1, 20), (1, 1, 20)),
    *((0.2, 1, 200), (0.5, 0.5, 300), (0.9, 0.3, 300), (0.3, 0.9, 300), (1, 0.5, 200)),
]


def wide(width):
    """Frames of one beat of so many bits, and its folding."""
    return TensorType((1, 1, width), BIPOLAR), Folding(width, width)


def queues_side_by_side(beats):
    """All queues in one top: a stimulus goes in every cycle, and comes out what each one shows."""
    lanes, shown = WIDTH + 3, WIDTH + 2
    lines = [
        "module top (",
        "  input wire clk, input wire rst,",
        f"  input wire [{lanes - 1}:0] s_axis_tdata, input wire s_axis_tvalid,",
        "  output wire s_axis_tready,",
        f"  output wire [{shown * len(QUEUES) - 1}:0] m_axis_tdata, output wire m_axis_tvalid,",
        "  input wire m_axis_tready",
        ");",
        "  wire [2:0] probe /* verilator public_flat_rd */;",
        "  assign probe = {3{s_axis_tvalid}};",
        "  assign s_axis_tready = m_axis_tready;",
        "  assign m_axis_tvalid = s_axis_tvalid;",
    ]
    for place, (style, depth, taps) in enumerate(QUEUES):
        low = shown * place
        lines += [
            f"  bonn_fifo #(.WIDTH({WIDTH}), .DEPTH({depth}), .STYLE({int(style)}),",
            f"    .TAPS({taps}))",
            f"    queue_{place} (",
            f"    .clk(clk), .rst(rst | s_axis_tdata[{WIDTH + 2}]), .step(),",
            f"    .s_axis_tdata(s_axis_tdata[{WIDTH - 1}:0]),",
            f"    .s_axis_tvalid(s_axis_tdata[{WIDTH}]),",
            f"    .s_axis_tready(m_axis_tdata[{low + WIDTH}]),",
            f"    .m_axis_tdata(m_axis_tdata[{low + WIDTH - 1}:{low}]),",
            f"    .m_axis_tvalid(m_axis_tdata[{low + WIDTH + 1}]),",
            f"    .m_axis_tready(s_axis_tdata[{WIDTH + 1}])",
            "  );",
        ]
    lines += ["endmodule", ""]
    ends = Port(lanes, BIPOLAR, beats), Port(shown * len(QUEUES), BIPOLAR, beats)
    return RtlProject("top", ("fifo.sv",), {"top.v": "\n".join(lines)}, *ends, ("queues",))


@pytest.mark.rtl
def test_all_styles_are_the_same_queue(tmp_path):
    """Beat for beat and cycle for cycle, with resets in between."""
    rng = np.random.default_rng(0)
    offers, takes, cycles = zip(*(PHASES * 3), strict=True)
    offered = rng.random(sum(cycles)) < np.repeat(offers, cycles)
    taken = rng.random(offered.size) < np.repeat(takes, cycles)
    reset = rng.random(offered.size) < np.repeat([0, 0.004, 0.02], sum(cycles) // 3)
    values = rng.integers(0, 1 << WIDTH, offered.size)
    stimulus = values | offered << WIDTH | taken << WIDTH + 1 | reset << WIDTH + 2
    project = queues_side_by_side(offered.size)
    write(project, tmp_path)
    beats = stimulus.astype(np.uint32)[:, None]
    outcome = simulate(project, beats, 1, folder=tmp_path, timeout_cycles=1000)
    shown = np.unpackbits(outcome.outputs.view(np.uint8), axis=1, bitorder="little")
    weights = 1 << np.arange(WIDTH)
    for place, (_, depth, _) in enumerate(QUEUES):
        bits = shown[:, (WIDTH + 2) * place :][:, : WIDTH + 2]
        queue, fills = deque(), set()
        for cycle in range(offered.size):
            held = len(queue)
            fills.add(held)
            assert bits[cycle, WIDTH:].tolist() == [held < depth, held > 0], (QUEUES[place], cycle)
            if held:
                assert bits[cycle, :WIDTH] @ weights == queue[0], (QUEUES[place], cycle)
            if taken[cycle] and held:
                queue.popleft()
            if offered[cycle] and held < depth:
                queue.append(values[cycle])
            if reset[cycle]:
                queue.clear()
        assert fills == {*range(depth + 1)}


def queue(depth):
    return Fifo(TensorType((3, 3, 4), Element(-4, 3)), depth)


@pytest.mark.rtl
@pytest.mark.parametrize(
    ("depth", "lanes", "style"),
    corners(
        [
            (1, 1, Style.REGISTER),
            (1, 36, Style.REGISTER),
            (2, 1, Style.SKID),
            (3, 4, Style.SHIFT),
            (16, 2, Style.SHIFT),
            (17, 1, Style.SHIFT),
            (17, 36, Style.LUT),
            (32, 36, Style.LUT),
            (64, 1, Style.LUT),
            (400, 12, Style.BLOCK),
        ],
        lambda depth, lanes, style: queue(depth).rtl(Folding(lanes, lanes)).parameters,
    ),
)
def test_rtl(depth, lanes, style, tmp_path):
    kernel, folding = queue(depth), Folding(lanes, lanes)
    assert kernel.style(folding) == style
    prove(kernel, folding, tmp_path)
    design = lone_design(kernel, folding)
    frames = random_values(kernel.input, 4 * FRAMES)
    for stall in (3, 4):
        outcome = simulate_design(design, frames, tmp_path, stall)
        predicted = run(design, len(frames), stall).output_cycles
        np.testing.assert_array_equal(outcome.run.output_cycles, predicted)
        np.testing.assert_array_equal(outcome.outputs, frames)


@pytest.mark.parametrize(
    ("depth", "width", "style"),
    [
        (1, 1, Style.REGISTER),
        (1, 4096, Style.REGISTER),
        (2, 1, Style.SKID),
        (2, 4096, Style.SKID),
        (3, 1, Style.SHIFT),
        (16, 4096, Style.SHIFT),
        (17, 2, Style.SHIFT),  # a LUT a bit, but one pointer instead of two
        (17, 18, Style.LUT),
        (32, 12, Style.SHIFT),
        (32, 64, Style.LUT),
        (33, 1, Style.LUT),
        (128, 64, Style.LUT),
        (512, 36, Style.BLOCK),
        (2048, 1, Style.BLOCK),
        (2048, 8, Style.BLOCK),
    ],
)
def test_choice(depth, width, style):
    kind, folding = wide(width)
    assert Fifo(kind, depth).style(folding) == style


def test_what_a_style_takes():
    def figures(depth, width):
        kind, folding = wide(width)
        return Fifo(kind, depth).resources(folding).astuple()[:3]

    assert figures(1, 8) == (3, 9, 0)
    # A LUT selects two bits of the output.
    assert figures(2, 8) == (4 + 2, 2 * 8 + 2, 0)
    # Two places of a bit share a LUT; a counter, its end, take and step.
    assert figures(16, 8) == (4 + 9, 5, 0)
    assert figures(32, 8) == (8 + 10, 6, 0)
    # 4 LUT hold 64 words of 3 bits; two pointers and a count.
    assert figures(64, 30) == (40 + 18, 20, 0)
    assert figures(128, 30) == (80 + 2 + 15 + 21, 23, 0)
    # Its pointers are shift registers where a free place costs nothing.
    assert figures(100, 30) == (80 + 2 + 15 + 11, 23, 0)
    assert figures(256, 36) == (8 + 4 + 4 + 18, 28 + 37, 0.5)
    assert figures(512, 36) == (27 + 4 + 18, 29 + 37, 0.5)
    assert figures(512, 72) == (27 + 4 + 36, 29 + 73, 1)


@pytest.mark.parametrize("bits", TAPS)
def test_pointers_reach_all_places_but_one(bits):
    state, taps, states = 0, TAPS[bits], 0
    while state or not states:
        state = (state << 1 | 1 - (state & taps).bit_count() % 2) & (1 << bits) - 1
        states += 1
    assert states == (1 << bits) - 1


def test_memories_that_a_board_may_choose():
    kind, folding = wide(24)
    in_lut, in_block = Fifo(kind, 60).placements()
    assert [each.style(folding) for each in (in_lut, in_block)] == [Style.LUT, Style.BLOCK]
    assert [*Fifo(kind, 2).placements()] == [Fifo(kind, 2, in_block=False)]


def test_one_place_halves_the_rate():
    kind = TensorType((1, 1, 12), BIPOLAR)
    assert Fifo(kind, 1).cycles(Folding(3, 3)) == 8
    assert Fifo(kind, 2).cycles(Folding(3, 3)) == 4


@pytest.mark.parametrize("depth", [0, -1])
def test_a_queue_of_no_beats_is_refused(depth):
    with pytest.raises(ValueError, match=f"a FIFO of depth {depth} holds no beat: at least 1"):
        Fifo(TensorType((1, 1, 1), BIPOLAR), depth)
