# SPDX-License-Identifier: BSD-3-Clause
"""A folder of RTL is enough for a simulator: its file lists, test bench and golden vectors."""

import re
import shutil
from dataclasses import replace

import numpy as np
import pytest

from bonn_hw.emit.interface import core_name, wrapped
from bonn_hw.emit.readme import constraints
from bonn_hw.emit.standalone import FRAMES, Timing, files, write_standalone
from bonn_hw.emit.stored import write_project
from bonn_hw.emit.testbench import checksum
from bonn_hw.emit.top import emit
from bonn_hw.ir.rtl import PLAIN
from bonn_hw.ir.stream import unpack
from bonn_hw.ir.tensor import BIPOLAR, TensorType
from bonn_hw.passes.folding import choose_foldings
from bonn_hw.passes.width_conversion import insert_width_converters
from tests.support import event_simulators, lint
from tests.support.networks import Chain, small_cnn

TOP = "small_top"
# Icarus alone in each run where it is installed: Verilator compiles four times as long, and reads
# the same files in the tests of `lint`.
*SLOWER, FASTEST = event_simulators.installed()
SIMULATORS = [*(pytest.param(name, marks=pytest.mark.large) for name in SLOWER), FASTEST]
TIMING = Timing(100.0, 800, 5000)


def designed(seed=0):
    graph = small_cnn(seed)
    return insert_width_converters(graph, choose_foldings(graph, 800, {}, 380))


@pytest.fixture(scope="module")
def design():
    return designed()


@pytest.fixture(scope="module")
def project(design):
    return emit(design, top=TOP)


def write(design, top, folder, interface=PLAIN):
    project = wrapped(emit(design, top=core_name(top, interface)), interface)
    write_project(project, folder)
    write_standalone(project, design, TIMING, folder)
    return folder


@pytest.fixture(scope="module")
def rtl(design, tmp_path_factory):
    return write(design, TOP, tmp_path_factory.mktemp("build") / "rtl")


def lines(path):
    return path.read_text().split()


def test_the_file_lists_name_every_source_and_nothing_else(rtl):
    sources, bench = lines(rtl / f"{TOP}.f"), lines(rtl / f"{TOP}_tb.f")
    there = {str(path.relative_to(rtl)) for kind in ("*.v", "*.sv") for path in rtl.rglob(kind)}
    assert sorted(sources + bench) == sorted(there)
    assert all(name.startswith("bench/") for name in bench)


def test_the_golden_vectors_are_what_the_integer_graph_computes(design, project, rtl):
    ends = {}
    for end, port in (("inputs", project.source), ("outputs", project.sink)):
        words = lines(rtl / f"bench/{TOP}_{end}.hex")
        assert len(words) == FRAMES * port.beats
        beats = np.array([[int(word, 16)] for word in words], np.uint32)
        ends[end] = unpack(beats, port.lanes, port.element)
    frames = ends["inputs"].reshape(FRAMES, *design.graph.tensors["input"].shape)
    assert len({frame.tobytes() for frame in frames}) == FRAMES
    np.testing.assert_array_equal(design.graph.run(frames).reshape(-1), ends["outputs"])


def test_a_bench_of_bits_sends_both(tmp_path):
    chain = Chain(TensorType((1, 1, 64), BIPOLAR))
    chain.matrix(2, last=True)
    graph = chain.graph()
    design = insert_width_converters(graph, choose_foldings(graph, 800, {}, 380))
    made = emit(design, top="bits_top")
    text = files(made, design, TIMING)["bench/bits_top_inputs.hex"]
    ones = sum(int(word, 16).bit_count() for word in text.split())
    assert 64 * FRAMES // 4 < ones < 64 * FRAMES // 2  # zero is drawn too, and stands for -1


def test_the_same_design_gives_the_same_bytes(design, project):
    assert files(project, design, TIMING) == files(emit(designed(), top=TOP), designed(), TIMING)


@pytest.mark.parametrize("text", ["", "a", "3f\n00\n" * 99])
def test_the_checksum_is_the_sum_that_the_bench_computes(text):
    expected = 0
    for char in text.encode():
        expected = (expected * 31 + char) % 2**32
    assert checksum(text) == expected


def test_the_readme_tells_ports_and_rate(project, rtl):
    text = (rtl / "README.md").read_text()
    source, sink = project.source, project.sink
    assert "800 cycles:\n125,000 frames per second at 100 MHz" in text
    assert f"| `s_axis_tdata` | in | {source.width} | 1 element of 4 bits, -8 to 7 |" in text
    assert f"| `m_axis_tdata` | out | {sink.width} |" in text
    assert f"A frame has {source.beats} beats\nof input, {sink.beats} of output" in text
    assert "{" not in re.sub(r"\.\w+\(\{.*", "", text)


def test_the_clock_of_the_constraints(project):
    assert "create_clock -name clk -period 6.667 [get_ports clk]" in constraints(project, 150.0)


@pytest.mark.parametrize("name", ["a b", "1a", "a;x", ""])
def test_a_top_that_is_no_name_is_refused(project, name):
    with pytest.raises(ValueError, match="is not the name of a module"):
        replace(project, top=name).check()


@pytest.mark.rtl
def test_two_networks_are_one_project(rtl, tmp_path):
    other = write(designed(1), "other_top", tmp_path / "rtl")
    both = [
        "module both (input wire clk, input wire rst, input wire [3:0] x, output wire [1:0] y);"
    ]
    for top, folder in ((TOP, rtl), ("other_top", other)):
        both += [
            f'  {top} #(.MEMORIES("{folder}/mem")) {top}_0 (',
            "    .clk(clk), .rst(rst), .s_axis_tdata(x), .s_axis_tvalid(1'b1), .s_axis_tready(),",
            f"    .m_axis_tdata(), .m_axis_tvalid(y[{int(top != TOP)}]), .m_axis_tready(1'b1)",
            "  );",
        ]
    (tmp_path / "both.v").write_text("\n".join([*both, "endmodule", ""]))
    kernels = sorted({*lines(rtl / f"{TOP}.f"), *lines(other / "other_top.f")})
    sources = [(rtl if (rtl / name).is_file() else other) / name for name in kernels]
    assert lint.slang("both", [*sources, tmp_path / "both.v"]) == ""
    waived = ["UNUSEDSIGNAL", "PINCONNECTEMPTY"]
    assert lint.verilator("both", [*sources, tmp_path / "both.v"], waived=waived) == ""


@pytest.mark.rtl
@pytest.mark.parametrize("simulator", SIMULATORS)
def test_the_bench_passes_anywhere_and_finds_damage(simulator, rtl, tmp_path, debian_verilator):
    copy, work, elsewhere = tmp_path / "rtl", tmp_path / "work", tmp_path / "elsewhere"
    shutil.copytree(rtl, copy)
    work.mkdir()
    elsewhere.mkdir()
    bench = event_simulators.compiled(simulator, TOP, copy, work, debian_verilator)
    for folder, passes, options in (
        (copy, 2, ()),
        (elsewhere, 1, ("+free",)),
        (tmp_path, 1, ("+stalls",)),
    ):
        well, told = bench.run(folder, *options)
        beats = f"PASSED: all {FRAMES} output beats of {FRAMES} frames, {passes} times"
        assert well and beats in told, told

    image = copy / "mem/mvu_1_weights.hex"
    content = image.read_text()
    image.unlink()
    damaged(bench, elsewhere, f"cannot open the memory image {image}: ")
    image.write_text(content[:-3])
    digits = len(content.replace("\n", ""))
    told = f"rom: the memory image {image} has {digits - 2} digits, not {digits}: it was truncated"
    damaged(bench, elsewhere, told)
    flipped = format(int(content[0], 16) ^ 1, "x") + content[1:]
    image.write_text(flipped)
    damaged(bench, elsewhere, f"self-test: {image} was changed: its checksum is ")
    image.write_text(content)

    vectors = copy / f"bench/{TOP}_outputs.hex"
    golden = vectors.read_text()
    vectors.unlink()
    damaged(bench, elsewhere, f"self-test: cannot open {vectors}: name the folder of the RTL")
    wrong = format(int(golden[0], 16) ^ 1, "x") + golden[1:]
    vectors.write_text(wrong)
    first, other = golden.split()[0], wrong.split()[0]
    told = f"frame 0, beat 0: {first}, expected {other}\n"
    damaged(bench, elsewhere, told, "+unchecked")
    damaged(bench, elsewhere, f"FAILED: 1 of {FRAMES} output beats differ", "+unchecked")
    vectors.write_text(golden)
    assert bench.run(elsewhere, "+free")[0]


def damaged(bench, folder, told, *options):
    well, text = bench.run(folder, "+free", *options)
    assert not well and told in text and "PASSED" not in text, text
