# SPDX-License-Identifier: BSD-3-Clause
"""A plan that another machine runs: the archive there, the results back, and what is checked."""

import io
import json
import os
import re
import shlex
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

from bonn_hw import Build
from bonn_hw.bitstream.vivado.bit_file import BitFault, read_header, same_part
from bonn_hw.bitstream.vivado.reports import ReportFault, made_by
from bonn_hw.cli.main import main
from tests.bitstream.vivado.stand_in.headers import bit_file, report_header
from tests.support import fake_vivado, real_pynq
from tests.support.sketch import Sketch
from tests.support.walk import blocks

DATA = Path(__file__).parent / "data"
ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def compiled(tmp_path_factory):
    folder = tmp_path_factory.mktemp("compiled")
    sketch = Sketch(2, 4, 4).quant(6, scale=0.25).sign().conv(2, 2, pads=[1] * 4)
    model = sketch.sign().flatten().few_bit_dense(32, 3).write(folder)
    assert main(["compile", str(model), "--fps", "500000", "--out", str(folder / "build")]) == 0
    return folder / "build"


class There:
    """Another machine: a folder, and a `vivado` that this one does not have."""

    def __init__(self, folder, monkeypatch):
        self.folder, self.programs = folder / "there", folder / "programs"
        self.folder.mkdir()
        self.programs.mkdir()
        fake_vivado.install(self.programs)
        monkeypatch.setenv("FAKE_VIVADO_DATA", str(DATA))
        self.environment = dict(os.environ)
        self.path = f"{self.programs}{os.pathsep}{os.environ['PATH']}"

    def run(self, command, **more):
        """A line of shell there; its exit code."""
        environment = {**os.environ, "PATH": self.path, **more}
        return subprocess.run(
            command, shell=True, cwd=self.folder, env=environment, stdout=subprocess.DEVNULL
        ).returncode


@pytest.fixture
def there(tmp_path, monkeypatch):
    return There(tmp_path, monkeypatch)


@pytest.fixture
def build(compiled, tmp_path):
    return shutil.copytree(compiled, tmp_path / "build")


@pytest.fixture(scope="module")
def results(compiled, tmp_path_factory):
    """A set of results of the build's plan, once for all tests that change it."""
    folder = tmp_path_factory.mktemp("recorded")
    with pytest.MonkeyPatch.context() as patch:
        machine = There(folder, patch)
        plan_of(shutil.copytree(compiled, folder / "build"), machine)
        assert machine.run("sh accelerator/vivado/scripts/run.sh") == 0
    return machine.folder / "accelerator/results.tar.gz"


def plan_of(build, there, *options):
    assert main(["bitstream", str(build), "--tool", "vivado", *options]) == 3
    there.run(f"tar xf '{build}/system/plan.tar.gz'")


def take(build, *options):
    return main(["bitstream", str(build), "--take", *map(str, options)])


def files(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    ("board", "clock"), [("pynq-z2", "100"), ("kv260", "150")], ids=["7-series", "ultrascale+"]
)
def test_the_way_that_the_message_tells(build, there, tmp_path, capsys, board, clock):
    """The commands of the message, word by word, in an empty folder."""
    plan_of(build, there, "--board", board, "--clock-mhz", clock)
    told = capsys.readouterr().err
    shutil.rmtree(there.folder)
    there.folder.mkdir()
    (there.folder / "plan.tar.gz").write_bytes((build / "system/plan.tar.gz").read_bytes())
    remote = re.search(r"run '(tar xf [^']*)' there", told)[1]
    assert there.run(remote) == 0
    back = there.folder / re.search(r"copy (accelerator/\S+) back", told)[1]
    assert re.search(r"run 'bonn-hw (bitstream \S+ --take) results", told)[1].endswith("--take")
    before = back.read_bytes()
    assert take(build, back) == 0
    assert back.read_bytes() == before
    report = json.loads((build / "report.json").read_text())
    assert (report["bitstream"]["board"], report["timing"]["wns_ns"]) == (board, 1.274)
    packed = json.loads((build / "board/accelerator.json").read_text())
    assert (packed["board"], packed["clock_mhz"]) == (board, float(clock))
    stamp = json.loads((build / "system/bitstream/plan.json").read_text())["stamp"]
    assert read_header(build / "board/accelerator.bit").stamp == stamp


SCP = """#!/bin/sh
cp "$(echo "$1" | sed "s|^server:|$THERE/|")" "$(echo "$2" | sed "s|^server:|$THERE/|")"
"""
SSH = """#!/bin/sh
cd "$THERE" && PATH="$PROGRAMS:$PATH" exec sh -c "$2"
"""


def test_the_page_of_the_documentation(build, there, tmp_path, monkeypatch):
    """Its commands as they stand; scp and ssh go to a folder."""
    page = ROOT / "docs/howto/vivado_elsewhere.md"
    ((language, text),) = blocks(page)
    lines = text.splitlines()
    assert language == "" and len(lines) == 5
    (tmp_path / "bin").mkdir()
    for name, script in {"scp": SCP, "ssh": SSH}.items():
        (tmp_path / "bin" / name).write_text(script)
        (tmp_path / "bin" / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("THERE", str(there.folder))
    monkeypatch.setenv("PROGRAMS", str(there.programs))
    (tmp_path / "work/build").mkdir(parents=True)
    build.rename(tmp_path / "work/build/cnv")
    monkeypatch.chdir(tmp_path / "work")
    codes = []
    for line in lines:
        if line.startswith("bonn-hw "):
            codes.append(main(shlex.split(line)[1:]))
        else:
            codes.append(subprocess.run(line, shell=True, stdout=subprocess.DEVNULL).returncode)
    assert codes == [3, 0, 0, 0, 0]
    assert Path("build/cnv/board/accelerator.bit").is_file()


def test_a_plan_that_was_run_by_hand_in_the_build_itself(build, there, capsys):
    plan_of(build, there)
    command = json.loads((build / "system/vivado/plan.json").read_text())["command"]
    work = build / "system/vivado"
    environment = {**os.environ, "PATH": there.path}
    subprocess.run(command, cwd=work, env=environment, check=True, stdout=subprocess.DEVNULL)
    # A second call: with and without the tool, for this plan and for another.
    before = files(work)
    capsys.readouterr()
    for options in ((), ("--clock-mhz", "50")):
        assert main(["bitstream", str(build), "--tool", "vivado", *options]) == 2
        told = capsys.readouterr().err
        assert f"check and pack it with 'bonn-hw bitstream {build} --take', or move" in told
        assert files(work) == before
    assert take(build) == 0
    assert (build / "board/accelerator.bit").is_file() and not work.exists()
    assert take(build) == 2
    assert "system/vivado: there is no such folder or file" in capsys.readouterr().err


def test_a_second_plan_leaves_a_folder_in_which_it_may_be_running(build, there):
    plan_of(build, there)
    (build / "system/vivado/vivado.log").write_text("running\n")
    plan_of(build, there)
    assert (build / "system/vivado/vivado.log").is_file()


def test_timing_that_is_missed_there_is_told_here(build, there, capsys):
    plan_of(build, there, "--clock-mhz", "200")
    run = "sh accelerator/vivado/scripts/run.sh"
    assert there.run(run, FAKE_VIVADO="timing missed") == 4
    assert take(build, there.folder / "accelerator/results.tar.gz") == 2
    told = capsys.readouterr().err
    assert "timing is missed on pynq-z2 at 200 MHz by 1.530 ns (setup" in told
    assert "build again with --clock-mhz 142.857 (this placement reaches 153 MHz)" in told
    assert not (build / "board/accelerator.bit").exists()


def test_a_plan_that_was_not_run(build, there, capsys):
    plan_of(build, there)
    assert take(build, there.folder / "accelerator/vivado") == 2
    assert "has a plan and no results: run 'sh scripts/run.sh' there" in capsys.readouterr().err


def changed(results, folder, name, change):
    """The results with one file changed, or left out (None)."""
    folder.mkdir()
    with tarfile.open(results) as whole:
        for member in whole:
            content = whole.extractfile(member).read()
            content = change(content) if Path(member.name).name == name else content
            if content is not None:
                (folder / Path(member.name).name).write_bytes(content)
    return folder


def replaced(old, new):
    def change(content):
        assert old in content
        return content.replace(old, new)

    return change


def plan_with(**values):
    def change(content):
        return json.dumps(json.loads(content) | values).encode()

    return change


BIT, RPT = "accelerator.bit", "timing.rpt"
MUTATIONS = {
    "another board": ("plan.json", plan_with(board="kv260"), "rtl/|part is xc7z020clg400-1"),
    "another part": (
        "plan.json",
        plan_with(part="xc7z010clg400-1"),
        "plan of this build: part is xc7z010clg400-1, not xc7z020clg400-1: plan and run",
    ),
    "other RTL": (
        "plan.json",
        plan_with(sources={}),
        r"is not the plan of this build: rtl/\S+ and \d+ more files differ: plan and run it again",
    ),
    "another clock": ("plan.json", plan_with(clock_mhz=50.0), "rtl/system.v differs: plan"),
    "plan lost": ("plan.json", lambda text: None, "has no plan.json: name the folder in which"),
    "plan damaged": ("plan.json", lambda text: text[:99], "is not a plan of bonn-hw"),
    "bitstream of another plan": (
        BIT,
        lambda text: bit_file("board_wrapper", "xc7z020clg400-1", "2022.2", "12345678"),
        "has the user ID 12345678 .* the plan has [0-9a-f]{8}, .*: take all results from one run",
    ),
    "bitstream for another part": (
        BIT,
        replaced(b"7z020clg400", b"7z010clg400"),
        "is of the part 7z010clg400, the plan of xc7z020clg400-1: take all results from one run",
    ),
    "bitstream of another version": (
        BIT,
        replaced(b"Version=2022.2", b"Version=2023.1"),
        "is of vivado 2023.1; .*, the reports are of vivado 2022.2",
    ),
    "bitstream cut off": (BIT, lambda text: text[:-9], r"accelerator\.bit is cut off: \d+ bytes"),
    "no bitstream": (BIT, lambda text: b"hello", "does not begin as a .bit file"),
    "hardware description lost": (
        "accelerator.hwh",
        lambda text: None,
        "has not written accelerator.hwh",
    ),
    "report of another part": (
        RPT,
        replaced(b"7z020-clg400", b"7z010-clg400"),
        "timing.rpt is of the part 7z010-clg400, the plan of xc7z020clg400-1",
    ),
    "report of an old version": (
        RPT,
        replaced(b"v.2022.2", b"v.2019.1"),
        "timing.rpt is of version 2019.1: the scripts are written for 2020.2 to 2025.1; take one",
    ),
    "report without a header": (
        RPT,
        replaced(b"Tool Version", b"Tool"),
        "timing.rpt: no header with 'Tool Version' and 'Device'",
    ),
    "timing missed": (
        RPT,
        replaced(b"      1.274 ", b"     -1.274 "),
        "timing is missed on pynq-z2",
    ),
}


@pytest.mark.parametrize("name", MUTATIONS)
def test_results_that_are_not_of_this_plan(compiled, results, tmp_path, capsys, name):
    file, change, message = MUTATIONS[name]
    folder = changed(results, tmp_path / "changed", file, change)
    before = files(compiled)
    code = take(compiled, folder)
    assert code == 2
    assert re.search(message, capsys.readouterr().err)
    assert {p: c for p, c in files(compiled).items() if ".lock" not in p.name} == before


def test_results_of_older_scripts_are_taken(build, results, tmp_path):
    """bonn-hw may be updated while Vivado runs for hours."""
    change = plan_with(scripts={"bitstream.tcl": "0" * 64}, versions=["2022.1", "2024.2"])
    folder = changed(results, tmp_path / "changed", "plan.json", change)
    report = Build(build).take_bitstream(folder)
    assert report.implementation.bitstream.board == "pynq-z2"
    assert (build / "board/accelerator.bit").is_file()


def test_archives_that_cannot_be_taken(compiled, tmp_path, capsys):
    assert take(compiled, tmp_path / "none.tar.gz") == 2
    assert "there is no such folder or file: name the folder in which" in capsys.readouterr().err
    (tmp_path / "cut.tar.gz").write_bytes(b"\x1f\x8b\x08")
    assert take(compiled, tmp_path / "cut.tar.gz") == 2
    assert "cannot be unpacked (" in capsys.readouterr().err
    assert main(["bitstream", str(compiled), "--tool", "open", "--take"]) == 2
    assert "--take is for results of Vivado: leave --tool open out" in capsys.readouterr().err


def test_an_archive_writes_nowhere_else(compiled, tmp_path, capsys):
    """Members with paths, links and other names are not followed."""
    with tarfile.open(tmp_path / "evil.tar.gz", "w:gz") as archive:
        for name, kind in (("../../plan.json", tarfile.REGTYPE), ("vivado.log", tarfile.SYMTYPE)):
            member = tarfile.TarInfo(name)
            member.type, member.linkname, member.size = kind, "/etc/passwd", 2
            archive.addfile(member, io.BytesIO(b"{}"))
    assert take(compiled, tmp_path / "evil.tar.gz") == 2
    assert "is not a plan of bonn-hw ('schema'): copy it again" in capsys.readouterr().err
    assert not list(tmp_path.parent.glob("plan.json"))


# Headers of files, by version and family.


@pytest.mark.parametrize("part", ["xc7z020clg400-1", "xczu7ev-ffvc1156-2-e", "xck26-sfvc784-2LV-c"])
@pytest.mark.parametrize("version", ["2020.2", "2021.2", "2022.1", "2024.1", "2025.1"])
@pytest.mark.parametrize("timing", [True, False])
def test_headers_of_reports(tmp_path, part, version, timing):
    (tmp_path / "a.rpt").write_text(report_header(version, part, timing))
    found, device = made_by(tmp_path / "a.rpt")
    assert found == version and same_part(device, part)
    assert not same_part(device, "xczu3eg-sbva484-1-i")


@pytest.mark.parametrize(
    ("text", "version", "device"),
    [
        # As published: 7 series and UltraScale+, of the first and the last version.
        (
            "| Tool Version : Vivado v.2020.2 (lin64) Build 3064766 Wed Nov 18 09:12:47 MST 2020\n"
            "| Design       : AXIStreamCompressor\n| Device       : 7z020-clg400\n",
            "2020.2",
            "7z020-clg400",
        ),
        (
            "| Tool Version      : Vivado v.2021.2 (lin64) Build 3367213 Tue Oct 19 02:47:39\n"
            "| Device            : xczu3eg-sbva484\n| Temperature Grade : E\n",
            "2021.2",
            "xczu3eg-sbva484",
        ),
        (
            "| Tool Version : Vivado v.2025.1.1 (win64) Build 6233196\n"
            "| Device       : xc7z020clg484-1\n",
            "2025.1",
            "xc7z020clg484-1",
        ),
    ],
)
def test_published_headers(tmp_path, text, version, device):
    (tmp_path / "a.rpt").write_text(text)
    assert made_by(tmp_path / "a.rpt") == (version, device)


def test_a_report_without_a_header(tmp_path):
    (tmp_path / "a.rpt").write_text("Timing Summary Report\n")
    with pytest.raises(ReportFault, match="no header with 'Tool Version'"):
        made_by(tmp_path / "a.rpt")


@pytest.mark.parametrize(
    ("name", "part"), [("Pynq-Z2", "xc7z020clg400-1"), ("ZCU104", "xczu7ev-ffvc1156-2-e")]
)
@pytest.mark.parametrize("version", real_pynq.DESIGNS)
def test_bitstreams_that_vivado_wrote(name, part, version):
    header = read_header(real_pynq.design(name, ".bit", version))
    assert (header.version, header.stamp) == (real_pynq.DESIGNS[version], "ffffffff")
    assert same_part(header.part, part) and not same_part(header.part, "xc7z010clg400-1")


def test_a_bitstream_of_another_program(tmp_path):
    content = bit_file("top", "xc7z020clg400-1", "2022.1")
    (tmp_path / "a.bit").write_bytes(content.replace(b"Version=2022.1", b"Generator=xc7f"))
    assert read_header(tmp_path / "a.bit").version == ""
    (tmp_path / "a.bit").write_bytes(content.replace(b"b\0\x0c", b"q\0\x0c"))
    with pytest.raises(BitFault, match="has no field 'b' in its header"):
        read_header(tmp_path / "a.bit")
