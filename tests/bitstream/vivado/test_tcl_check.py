# SPDX-License-Identifier: BSD-3-Clause
"""The check of the Tcl scripts: they pass for all boards, and every kind of mistake is found."""

import builtins
import importlib.util
import shutil
from pathlib import Path

import pytest

from bonn_hw.bitstream.vivado.plan import SOURCES, arguments, scripts_folder
from bonn_hw.boards import BOARDS, board
from bonn_hw.errors import ToolMissing
from tests.bitstream.vivado.stand_in import tcl_check
from tests.bitstream.vivado.stand_in.commands import CommandSet
from tests.bitstream.vivado.stand_in.syntax import statements
from tests.bitstream.vivado.stand_in.tcl_check import execute, read_through, trial, write_rtl
from tests.bitstream.vivado.stand_in.tool import Scenario
from tests.support.environment import absent

SCRIPTS = scripts_folder()
MULTIPLIER = "PSU__CRL_APB__IOPLL_CTRL__FBDIV"


@pytest.fixture(autouse=True)
def tcl():
    if importlib.util.find_spec("tkinter") is None:
        absent("Python's tkinter")


def test_the_scripts_pass_for_all_boards_and_all_ways_that_a_run_can_go():
    assert tcl_check.check() == []


@pytest.mark.parametrize("name", tcl_check.PLANNED)
def test_the_calls_of_a_run(tmp_path, name):
    run = trial(SCRIPTS, name, tmp_path, "controller", Scenario())
    names = [call[0] for call in run.calls]
    order = ["ipx::package_project", "create_bd_design", "validate_bd_design", "synth_design"]
    order += ["place_design", "route_design", "report_timing_summary", "write_bitstream"]
    places = [names.index(name) for name in order]
    assert places == sorted(places)
    assert (tmp_path / "out/accelerator.bit").is_file()
    assert (tmp_path / "out/accelerator.hwh").is_file()
    assert not any(call[0] == "set_property" and "board_part" in call for call in run.calls)


def test_every_command_of_the_tool_is_reached_by_a_run(tmp_path):
    known = CommandSet.read(tcl_check.COMMANDS).commands
    written = {
        (statement.name, path.name, statement.line)
        for path in SCRIPTS.glob("*.tcl")
        for statement in statements(path.read_text())
        if statement.name in known
    }
    reached = set()
    for place in ("pynq-z2", "zcu104"):
        for interrupt in ("controller", "direct"):
            for name in ("timing met", "timing missed"):
                scratch = tmp_path / place / interrupt / name
                scratch.mkdir(parents=True)
                scenario = tcl_check.SCENARIOS[name][0]
                reached |= trial(SCRIPTS, place, scratch, interrupt, scenario).places
    kept = Scenario(read_only=frozenset({MULTIPLIER}))
    reached |= trial(SCRIPTS, "zcu104", tmp_path, "direct", kept).places
    assert written == reached


@pytest.mark.parametrize("name", tcl_check.PLANNED)
def test_the_fabric_clock_comes_from_the_pll_that_the_board_has(tmp_path, name):
    run = trial(SCRIPTS, name, tmp_path, "direct", Scenario())
    assert "bonn-hw: clock 100 MHz, wanted 100 MHz" in run.output
    assert not any("warning" in line for line in run.output)


def test_a_repair_is_tried_once_before_timing_is_given_up(tmp_path):
    run = trial(SCRIPTS, "pynq-z2", tmp_path, "direct", Scenario(slack_ns=-1, repaired_ns=-0.5))
    assert run.code == 4
    assert run.output[-1] == "bonn-hw: timing is missed: setup -0.5 ns, hold 0.02 ns"
    assert not (tmp_path / "out/accelerator.bit").exists()
    assert (tmp_path / "out/timing.rpt").is_file()


def test_a_setting_that_a_version_keeps_to_itself(tmp_path):
    """The multiplier of the PLL: the flow goes on, and tells the clock that it has then."""
    kept = Scenario(read_only=frozenset({MULTIPLIER}))
    run = trial(SCRIPTS, "zcu104", tmp_path, "direct", kept)
    assert run.code == 0
    (warning,) = [line for line in run.output if "warning" in line]
    assert warning.startswith(f"bonn-hw: warning: CONFIG.{MULTIPLIER} stays 90: ")
    assert "Cannot set the parameter" in warning


def test_a_directive_that_a_command_lacks(tmp_path):
    """It is reached only where timing is repaired."""
    shutil.copytree(SCRIPTS, tmp_path / "scripts")
    file = tmp_path / "scripts/implement.tcl"
    file.write_text(file.read_text().replace("AggressiveExplore", "AgressiveExplore"))
    scenario = tcl_check.SCENARIOS["timing repaired"][0]
    run = trial(tmp_path / "scripts", "pynq-z2", tmp_path, "direct", scenario)
    (problem,) = run.problems
    assert "phys_opt_design -directive cannot be 'AgressiveExplore'" in problem.text


# file, what stands there, what is put in its place, what the check says, with file and line
MISTAKES = {
    "unknown command": (
        "implement.tcl",
        "    route_design\n",
        "    route_desing\n",
        "implement.tcl:{line}: unknown command 'route_desing' (did you mean 'route_design'?)",
    ),
    "unknown option": (
        "implement.tcl",
        "-max_paths 10",
        "-max_path 10",
        "implement.tcl:{line}: report_timing_summary has no option -max_path (did you mean "
        "'-max_paths'?)",
    ),
    "option where no run comes by": (
        "implement.tcl",
        "    if {[llength $found] == 0} {\n",
        "    if {[llength $found] == 0} {\n        get_parts -filte x\n",
        "implement.tcl:{line+1}: get_parts has no option -filte (did you mean '-filter'?)",
    ),
    "property of the processing system": (
        "processing_system.tcl",
        "        CONFIG.PCW_USE_S_AXI_HP0 1",
        "        CONFIG.PCW_USE_AXI_HP0 1",
        "no IP has a property CONFIG.PCW_USE_AXI_HP0 (did you mean 'PCW_USE_S_AXI_HP0'?)",
    ),
    "width that a port does not have": (
        "processing_system.tcl",
        "CONFIG.PCW_S_AXI_HP0_DATA_WIDTH 64",
        "CONFIG.PCW_S_AXI_HP0_DATA_WIDTH 48",
        "CONFIG.PCW_S_AXI_HP0_DATA_WIDTH of cell ps cannot be '48': it is one of 32, 64",
    ),
    "pins that a peripheral does not have": (
        "processing_system.tcl",
        "CONFIG.PCW_SD0_SD0_IO [mio [dict get $settings sd-mio]]",
        "CONFIG.PCW_SD0_SD0_IO {MIO 90 .. 95}",
        "CONFIG.PCW_SD0_SD0_IO of cell ps cannot be 'MIO 90 .. 95': it is one of MIO 16 .. 21",
    ),
    "clock out of its range": (
        "processing_system.tcl",
        "CONFIG.PCW_APU_PERIPHERAL_FREQMHZ [dict get $settings cpu-mhz]",
        "CONFIG.PCW_APU_PERIPHERAL_FREQMHZ 6500",
        "CONFIG.PCW_APU_PERIPHERAL_FREQMHZ of cell ps cannot be 6500: it is from 50 to 1000",
    ),
    "no number": (
        "processing_system.tcl",
        "CONFIG.PSU__PSS_REF_CLK__FREQMHZ $reference",
        "CONFIG.PSU__PSS_REF_CLK__FREQMHZ fast",
        "CONFIG.PSU__PSS_REF_CLK__FREQMHZ of cell ps cannot be 'fast': it is a number",
    ),
    "address that no master reaches": (
        "processing_system.tcl",
        "base 0x43C00000",
        "base 0x20000000",
        "segment /accelerator/s_axi_ctrl/reg0: no master of ps reaches 0x20000000",
    ),
    "address that is not aligned": (
        "processing_system.tcl",
        "base 0xA0000000",
        "base 0xA0001800",
        "offset 0xA0001800 is no multiple of 4K",
    ),
    "range that is no power of two": (
        "block_design.tcl",
        "assign_bd_address -offset $base -range 4K",
        "assign_bd_address -offset $base -range 3K",
        "range 3K is not a power of two",
    ),
    "category without a slash": (
        "package_ip.tcl",
        "-taxonomy /UserIP",
        "-taxonomy UserIP",
        "-taxonomy UserIP: a category starts with a slash, as /UserIP",
    ),
    "family that is not supported": (
        "package_ip.tcl",
        "{zynq Production zynquplus Production}",
        "{zynq Production}",
        "does not support the family zynquplus (xczu7ev-ffvc1156-2-e)",
    ),
    "kind of file": (
        "package_ip.tcl",
        "{Memory File}",
        "{Memory Fil}",
        "file_type of a file cannot be 'Memory Fil': it is one of Verilog, SystemVerilog",
    ),
    "use of an address block": (
        "package_ip.tcl",
        "usage register ",
        "usage registers ",
        "usage of a block cannot be 'registers': it is one of memory, register, reserved",
    ),
    "kind of interrupt": (
        "package_ip.tcl",
        "SENSITIVITY LEVEL_HIGH",
        "SENSITIVITY EDGE_BOTH",
        "the bus parameter SENSITIVITY cannot be 'EDGE_BOTH': it is one of LEVEL_HIGH",
    ),
    "kind of synthesis": (
        "implement.tcl",
        "synth_checkpoint_mode None",
        "synth_checkpoint_mode never",
        "synth_checkpoint_mode of a file cannot be 'never': it is one of None, Singular",
    ),
    "severity": (
        "implement.tcl",
        "Synth 8-4445} -new_severity ERROR",
        "Synth 8-4445} -new_severity FATALITY",
        "set_msg_config -new_severity cannot be 'FATALITY': it is one of ERROR",
    ),
    "segment's name": (
        "block_design.tcl",
        "interrupts/S_AXI/Reg",
        "interrupts/s_axi/Reg",
        "nothing in the design matches 'interrupts/s_axi/Reg'",
    ),
    "place of the hardware description": (
        "implement.tcl",
        "hw_handoff board.hwh",
        "hw_handof board.hwh",
        "the tool has written no board.hwh under",
    ),
    "missing script": (
        "bitstream.tcl",
        "block_design implement}",
        "block_design implementation}",
        'implementation.tcl": no such file or directory',
    ),
    "missing source": (
        "package_ip.tcl",
        "    add_files -norecurse [glob -directory $sources -- *.v]",
        "    add_files -norecurse $sources/none.v",
        "package_ip.tcl:{line}: add_files: there is no file",
    ),
    "argument's name": (
        "arguments.tcl",
        "set argument_names {rtl part",
        "set argument_names {source part",
        "argument '--rtl' is not known; there are --source --part",
    ),
    "argument of an own procedure": (
        "package_ip.tcl",
        "    describe_registers $core\n",
        "    describe_registers $core 4096\n",
        "package_ip.tcl:{line}: procedure describe_registers takes 1 arguments, not 2",
    ),
    "variable": (
        "implement.tcl",
        "    return [get_property SLACK $path]",
        "    return [get_property SLACK $paths]",
        'implement.tcl:{line}: can\'t read "paths": no such variable',
    ),
    "script that is not looked into": (
        "implement.tcl",
        "    cd $before\n",
        "    eval {cd $before}\n",
        "implement.tcl:{line}: eval is not looked into by the check",
    ),
    "brace": ("implement.tcl", "proc implement {} {", "proc implement {} {{", "is not closed"),
    "pin": (
        "block_design.tcl",
        "reset/slowest_sync_clk accelerator/aclk",
        "reset/slow_sync_clk accelerator/aclk",
        "cell reset has no pin 'slow_sync_clk' as configured (did you mean 'slowest_sync_clk'?)",
    ),
    "clock that is left open": (
        "block_design.tcl",
        "    clock_pins $ps [dict get $ps slave_clock]\n",
        "",
        "_aclk is not connected",
    ),
    "port that its property leaves out": (
        "processing_system.tcl",
        "        CONFIG.PSU__USE__S_AXI_GP2 1",
        "        CONFIG.PSU__USE__S_AXI_GP2 0",
        "cell ps has no pin 'saxihp0_fpd_aclk' as configured",
    ),
    "port that nobody uses": (
        "processing_system.tcl",
        "        CONFIG.PSU__USE__M_AXI_GP1 0",
        "        CONFIG.PSU__USE__M_AXI_GP1 1",
        "pin /ps/maxihpm1_fpd_aclk is not connected",
    ),
    "reset on a clock": (
        "block_design.tcl",
        "    reset_pins {accelerator/aresetn}\n",
        "    clock_pins $ps {accelerator/aresetn}\n",
        "drives reset /accelerator/aresetn",
    ),
    "addresses that overlap": (
        "block_design.tcl",
        "$base + 0x10000",
        "$base",
        "segments /interrupts/S_AXI/Reg and /accelerator/s_axi_ctrl/reg0 overlap",
    ),
    "segment without an address": (
        "block_design.tcl",
        "            exclude_bd_addr_seg -target_address_space $space $segment\n",
        "",
        "has no address and is not excluded",
    ),
    "order": (
        "implement.tcl",
        "    step place_design\n    place_design\n",
        "",
        "implement.tcl:{line+1}: phys_opt_design before place_design",
    ),
    "memory images that are not found": (
        "implement.tcl",
        "    cd $sources\n",
        "",
        "implement.tcl:{line}: [Synth 8-4445] could not open $readmem data file 'mem/weights.hex'",
    ),
    "catalogue that is not read again": (
        "bitstream.tcl",
        "    update_ip_catalog\n",
        "",
        "the catalogue has no IP 'bonn_hw:user:bonn_accelerator:1.0'",
    ),
}


@pytest.mark.parametrize("kind", MISTAKES)
def test_a_mistake_is_found(tmp_path, monkeypatch, kind):
    file, old, new, message = MISTAKES[kind]
    folder = tmp_path / "scripts"
    shutil.copytree(SCRIPTS, folder)
    text = (folder / file).read_text()
    assert text.count(old) == 1
    (folder / file).write_text(text.replace(old, new))
    line = 1 + text[: text.index(old)].count("\n")
    for ahead in (0, 1):
        mark = f"{{line+{ahead}}}" if ahead else "{line}"
        message = message.replace(mark, str(line + ahead))
    scenarios = {"timing met": tcl_check.SCENARIOS["timing met"]}
    monkeypatch.setattr(tcl_check, "SCENARIOS", scenarios)
    told = [str(problem) for problem in tcl_check.check(folder, ["pynq-z2", "zcu104"])]
    assert any(message in text for text in told), told[:3]


def test_the_rtl_of_a_build(tmp_path, capsys):
    write_rtl(tmp_path / "rtl")
    assert tcl_check.check_build(tmp_path) == []
    (tmp_path / "rtl/mem/weights.hex").unlink()
    assert tcl_check.main([str(tmp_path)]) == 1
    told = capsys.readouterr().err.splitlines()
    assert len(told) == len(tcl_check.PLANNED)
    assert all("could not open $readmem data file 'mem/weights.hex'" in line for line in told)


def test_a_top_module_without_an_interface(tmp_path):
    write_rtl(tmp_path / "rtl")
    top = tmp_path / "rtl/system.v"
    top.write_text(top.read_text().replace("m_axi_wstrb", "m_axi_strobe"))
    given = arguments(board("pynq-z2"), 100, "a", str(tmp_path / "rtl"), str(tmp_path))
    run = execute(SCRIPTS, given)
    assert run.code == 1
    assert "bonn-hw: error: module system: its ports make up no interface 'm_axi'" in run.output


@pytest.mark.parametrize("number", ["2020.1", "2025.2.1", "unknown"])
def test_a_version_that_the_scripts_are_not_written_for(tmp_path, number):
    run = trial(SCRIPTS, "pynq-z2", tmp_path, "direct", Scenario(version=number))
    assert run.code == 1
    assert run.output[0].startswith(f"bonn-hw: error: vivado is version {number}: the scripts are")


def test_the_sources_of_the_plan_are_those_that_are_packaged():
    text = (SCRIPTS / "package_ip.tcl").read_text()
    assert f"foreach pattern {{{' '.join(SOURCES)}}} {{" in text


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"--clock-mhz": "fast"}, "--clock-mhz fast: give a number above 0"),
        ({"--threads": "0"}, "--threads 0: give a whole number from 1 to 32"),
        ({"--stamp": "0x12"}, "--stamp 0x12: give eight hexadecimal digits"),
        ({"--interrupt": "none"}, "--interrupt none: give controller or direct"),
        ({"--name": "a b"}, "--name a b: give letters, digits, _ and -, a letter first"),
        ({"--rtl": "/nowhere"}, "--rtl /nowhere: the folder has no system.v"),
        (
            {"--part": "xczu3eg-sbva484-1-i"},
            "--part xczu3eg-sbva484-1-i: it is not of the family zynq-7000",
        ),
        ({"--pll-mhz": "1 GHz"}, "--pll-mhz 1 GHz: give a number above 0"),
        ({"--ddr-mhz": "0"}, "--ddr-mhz 0: give a number above 0"),
        ({"--sd-mio": "MIO 40 .. 45"}, "--sd-mio MIO 40 .. 45: give pins such as 16..27"),
        ({"--family": "versal"}, "argument '--cpu-mhz' is not known; there are --rtl --part"),
        ({"--out": ""}, "argument '--out' is missing or has no value"),
    ],
)
def test_arguments_that_the_scripts_refuse(tmp_path, change, message):
    write_rtl(tmp_path / "rtl")
    given = arguments(board("pynq-z2"), 100, "a", str(tmp_path / "rtl"), str(tmp_path))
    values = dict(zip(given[::2], given[1::2], strict=True)) | change
    run = execute(SCRIPTS, [word for pair in values.items() for word in pair])
    assert run.code == 1
    assert any(line.startswith("bonn-hw: error: ") and message in line for line in run.output)


@pytest.mark.parametrize("name", tcl_check.PLANNED)
def test_settings_that_a_board_lacks(tmp_path, name):
    write_rtl(tmp_path / "rtl")
    given = arguments(board(name), 100, "a", str(tmp_path / "rtl"), str(tmp_path))
    for key, _ in BOARDS[name].processing_system:
        place = given.index("--" + key.replace("_", "-"))
        run = execute(SCRIPTS, [*given[:place], *given[place + 2 :]])
        assert run.code == 1
        assert f"bonn-hw: error: argument '{given[place]}' is missing or has no value" in run.output


def test_the_figures_of_the_processing_system(tmp_path):
    run = trial(SCRIPTS, "pynq-z2", tmp_path, "direct", Scenario())
    settings = next(call[2] for call in run.calls if "PCW_CRYSTAL_PERIPHERAL_FREQMHZ" in str(call))
    for text in (
        "CONFIG.PCW_CRYSTAL_PERIPHERAL_FREQMHZ 50 ",
        "CONFIG.PCW_APU_PERIPHERAL_FREQMHZ 650 ",
        "CONFIG.PCW_UIPARAM_DDR_FREQ_MHZ 525 ",
        "CONFIG.PCW_ENET0_ENET0_IO {MIO 16 .. 27} ",
        "CONFIG.PCW_SD0_SD0_IO {MIO 40 .. 45} ",
        "CONFIG.PCW_FPGA0_PERIPHERAL_FREQMHZ 100 ",
    ):
        assert text in settings


def test_the_working_folder_stays_after_a_failed_run(tmp_path):
    before = Path.cwd()
    trial(SCRIPTS, "pynq-z2", tmp_path, "direct", Scenario(fails="synth_design"))
    assert Path.cwd() == before


def test_no_interpreter(monkeypatch):
    real = builtins.__import__

    def without(name, *rest, **more):
        if name == "tkinter":
            raise ImportError(name)
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ToolMissing, match="tkinter module, which is not installed: install"):
        read_through(SCRIPTS)


def test_commands_are_found_wherever_they_stand():
    text = """# set not [this]
set a [one {x y} [two]]  ;# said
if {[three] > 0} {
    four "[five]"
} elseif {$b} {
    six \\
        [seven]
} elseif {[eleven]} {
    twelve
} else {eight}
foreach x {nine is data} {ten}
"""
    found = {statement.name: statement.line for statement in statements(text)}
    assert found == {
        "set": 2, "one": 2, "two": 2, "if": 3, "three": 3, "four": 4, "five": 4,
        "six": 6, "seven": 7, "eleven": 8, "twelve": 9, "eight": 10, "foreach": 11, "ten": 11,
    }  # fmt: skip
