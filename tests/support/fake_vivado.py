# SPDX-License-Identifier: BSD-3-Clause
"""A stand-in for the program `vivado`: runs the scripts through the checker's interpreter.

FAKE_VIVADO in the environment says how it goes: a scenario's name of `tcl_check`, `crash`, `mute`
(ends well and writes nothing), `silent` (no report has its format) or `hangs`. FAKE_VIVADO_VERSION
is what `-version` tells. Reports are those of FAKE_VIVADO_DATA.
"""

import os
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path

from tests.bitstream.vivado.stand_in.tcl_check import SCENARIOS, execute

TIMING = {"timing met": "timing_met.rpt", "timing repaired": "timing_met.rpt"}


def install(folder: Path) -> Path:
    """Write an executable `vivado` that runs this file with this Python."""
    program = folder / "vivado"
    root, module = Path(__file__).resolve().parents[2], "tests.support.fake_vivado"
    run = f'PYTHONPATH="{root}" exec "{sys.executable}" -m {module} "$@"'
    program.write_text(f"#!/bin/sh\n{run}\n")
    program.chmod(0o755)
    return program


def main(words: list[str]) -> int:
    way = os.environ.get("FAKE_VIVADO", "timing met")
    if words == ["-version"]:
        print(f"Vivado v{os.environ.get('FAKE_VIVADO_VERSION', '2022.2')} (64-bit)")
        return 0
    assert words[:2] == ["-mode", "batch"], words
    script = Path(words[words.index("-source") + 1])
    given = words[words.index("-tclargs") + 1 :]
    Path(words[words.index("-log") + 1]).write_text("****** Vivado\n")
    if way == "hangs":
        (Path.cwd() / "started").write_text(str(os.getpid()))
        print("bonn-hw: step place_design", flush=True)
        time.sleep(600)
    if way == "crash":
        print("bonn-hw: step place_design", flush=True)
        os.kill(os.getpid(), signal.SIGSEGV)
    if way == "mute":
        return 0
    data = Path(os.environ["FAKE_VIVADO_DATA"])
    scenario = SCENARIOS.get(way, SCENARIOS["timing met"])[0]
    names = {
        "report_timing_summary": TIMING.get(way, "timing_missed.rpt"),
        "report_utilization": "utilization_7series.rpt",
        "accelerator": "accelerator.rpt",
    }
    if way != "silent":
        texts = {name: (data / file).read_text() for name, file in names.items()}
        scenario = replace(scenario, reports=texts)
    if number := os.environ.get("FAKE_VIVADO_VERSION"):
        scenario = replace(scenario, version=number)
    run = execute(script.parent, given, scenario)
    for line in run.output:
        print(line)
    for problem in run.problems:
        print(f"ERROR: [Fake 1-1] {problem}")
    return run.code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
