# SPDX-License-Identifier: BSD-3-Clause
"""The networks of the field, end to end: ``python -m benchmarks.field --out FOLDER``.

FINN's example networks and others (`tests.support.field_networks`), by topology with random
weights. Each is compiled; the integer graph is compared with the reference; the RTL is linted and
simulated, freely and with stalls, and its cycles are compared with the prediction. A step that has
a line in FOLDER/results.jsonl is not repeated. Files that are named are judged too, such as trained
models. ``--page`` writes docs/field.md of all that was done, with the commit of each step. It ends
with 1 if anything differs.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from bonn_hw import engine, pipeline, verification
from bonn_hw.boards import board
from tests.support import lint
from tests.support.field_networks import FINN, OTHERS, SMALLER, Network
from tests.support.sketch import Sketch

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "field.md"
STALL = 3  # seed
FEW = 2  # frames with stalls
Row = dict[str, Any]


def main() -> int:
    """Do what is not done yet, and print all results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("build/field"))
    parser.add_argument("--only", nargs="*", default=(), help="names of networks")
    parser.add_argument("--simulated", type=int, help="frames in RTL; of all networks")
    parser.add_argument("--page", action="store_true", help="write docs/field.md")
    parser.add_argument("files", nargs="*", type=Path, help="QONNX files")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    log, commit = options.out / "results.jsonl", _commit()
    done = {}
    if log.exists():
        rows = map(json.loads, log.read_text().splitlines())
        done = {(row["network"], row["step"]): row for row in rows}
    given = {file.stem: file for file in options.files}
    networks = {
        **FINN,
        **OTHERS,
        **SMALLER,
        **{name: Network(Sketch) for name in given},  # of a file nothing is built
    }
    for name in options.only or networks:
        network = networks[name]
        if options.simulated is not None:
            network = replace(network, simulated=options.simulated)
        for step, run in steps(name, network, given, options.out / name).items():
            if (name, step) in done:
                continue
            start = time.process_time()
            row = {"network": name, "step": step, "commit": commit, **run()}
            row["cpu_s"] = round(time.process_time() - start, 1)
            done[name, step] = row
            with log.open("a") as lines:
                lines.write(json.dumps(row) + "\n")
            print(_line(row), flush=True)
            if not row["ok"]:
                break
    print(*map(_line, done.values()), sep="\n")
    if options.page:
        PAGE.write_text("\n".join([*page(done), ""]))
    return 0 if all(row["ok"] for row in done.values()) else 1


def steps(
    name: str, network: Network, given: Mapping[str, Path], folder: Path
) -> dict[str, Callable[[], Row]]:
    """What is done with a network, in this order."""
    folder.mkdir(exist_ok=True)

    def build() -> pipeline.Build:
        return pipeline.Build.load(folder / "build")

    def compiled() -> Row:
        file = given.get(name) or network.build().write(folder)
        chosen = board(network.board)
        target = pipeline.Target(chosen, chosen.clock_mhz, network.fps)
        report = pipeline.compile_model(file, target, folder / "build", top="field_top")
        used, holds = report.resources, chosen.holds
        return {
            "ok": bool(report.boards[chosen.name]),
            "board": chosen.name,
            "lut": round(used.lut.predicted),
            "of_lut": holds.lut,
            "bram36": used.bram36.predicted,
            "of_bram36": holds.bram36,
            "dsp": used.dsp.predicted,
            "cycles": report.cycles_per_frame.predicted,
        }

    every: dict[str, Callable[[], Row]] = {
        "compile": compiled,
        "integers": lambda: integers(build(), network.frames),
        "lint": lambda: linted(folder / "build" / "rtl"),
    }
    if network.simulated:
        every["rtl"] = lambda: simulated(build(), network.simulated, None)
        if network.simulated > 1:
            every["rtl, stalls"] = lambda: simulated(build(), FEW, STALL)
    return every


def integers(build: pipeline.Build, frames: int) -> Row:
    """The integer graph against the reference, in batches of ten frames."""
    images, differ, classes = build.random_frames(frames), 0, set()
    for first in range(0, frames, 10):
        batch = images[first : first + 10]
        ours = build.host.decode(engine.run(build.design.graph, build.host.encode(batch)))
        expected = build.reference.run(batch)
        for one, other in zip(_flat(ours, len(batch)), _flat(expected, len(batch)), strict=True):
            differ += not np.array_equal(one, other)
            classes.add(one.tobytes())
    return {
        "ok": differ == 0,
        "frames": frames,
        "differ": differ,
        "different outputs": len(classes),
    }


def _flat(answers: Any, frames: int) -> np.ndarray:
    """All outputs of each frame, side by side."""
    parts = answers if isinstance(answers, (tuple, list)) else (answers,)
    return np.concatenate([np.asarray(part).reshape(frames, -1) for part in parts], axis=1)


def linted(rtl: Path) -> Row:
    """Verilator with all warnings, and slang."""
    files = [rtl / name for name in (rtl / "field_top.f").read_text().split()]
    said = lint.verilator("field_top", files, waived=["UNUSEDSIGNAL"])
    said += lint.slang("field_top", files)
    return {"ok": not said, "said": said[:500]}


def simulated(build: pipeline.Build, frames: int, stall: int | None) -> Row:
    """The RTL against the integer graph and the reference, and its cycles."""
    answers = verification.simulate(
        build, build.random_frames(frames), stall=stall, simulator="verilator"
    )
    equal = np.array_equal(answers.rtl, answers.integer)
    row: Row = {"ok": equal and not answers.plain.unexplained.any(), "frames": frames}
    if stall is None:
        report = build.report
        said = report.latency_cycles.predicted, report.cycles_per_frame.predicted
        found = answers.run.latency, answers.run.interval if frames > 1 else said[1]
        row |= {"latency": found[0], "interval": found[1], "predicted": list(said)}
        row["ok"] = row["ok"] and found == said
    return row


def _commit() -> str:
    """The commit that is checked out, and whether files differ from it."""
    words = ("git", "-C", ROOT, "describe", "--always", "--exclude=*", "--dirty=, changed")
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout.strip()


def page(done: Mapping[tuple[str, str], Row]) -> Iterator[str]:
    """The page: what it is, and a line for each network."""
    yield "# Networks of the field"
    yield ""
    yield (
        "`python -m benchmarks.field --page` wrote this page. Networks by their topology, with "
        "random weights and norms as after training: FINN's examples, and others. LUT, block "
        "memories and DSP slices are predicted, FIFOs included; in brackets what the board has. "
        "*Equal* are frames for which the integer graph equals the reference (all of them). *RTL* "
        "are frames that Verilator simulated, freely and with random stalls at both ends, equal to "
        "integers and reference; a free run also has the predicted interval and latency, cycle for "
        "cycle. The RTL of every network passes Verilator's lint and slang without a warning. "
        "An empty cell was not run yet. Tests: `tests/end_to_end/test_field.py`."
    )
    yield ""
    columns = (
        *("network", "board", "LUT", "BRAM36", "DSP", "equal", "RTL free", "RTL stalled"),
        *("cycles a frame", "latency", "commit"),
    )
    yield f"| {' | '.join(columns)} |"
    yield f"|---|---|{'---:|' * (len(columns) - 3)}---|"
    for name in [*FINN, *OTHERS, *SMALLER]:
        rows = {step: row for (network, step), row in done.items() if network == name}
        if {"compile", "integers", "lint"} <= set(rows) and all(r["ok"] for r in rows.values()):
            yield _of_network(name, rows)


def _of_network(name: str, rows: Mapping[str, Row]) -> str:
    made, free = rows["compile"], rows.get("rtl", {})
    cells = (
        *(name, made["board"], f"{made['lut']:,} ({made['of_lut']:,})"),
        *(f"{made['bram36']:g} ({made['of_bram36']:g})", f"{made['dsp']:g}"),
        *(
            rows["integers"]["frames"],
            *(rows.get(step, {}).get("frames", "") for step in ("rtl", "rtl, stalls")),
        ),
        *(f"{made['cycles']:,}", f"{free['latency']:,}" if free else ""),
        ", ".join(dict.fromkeys(row["commit"] for row in rows.values())),
    )
    return f"| {' | '.join(map(str, cells))} |"


def _line(row: Row) -> str:
    rest = (f"{key} {value}" for key, value in _facts(row))
    return f"{row['network']}: {row['step']}: {'ok' if row['ok'] else 'FAILED'}: {', '.join(rest)}"


def _facts(row: Row) -> Iterator[tuple[str, Any]]:
    return ((key, value) for key, value in row.items() if key not in ("network", "step", "ok"))


if __name__ == "__main__":
    raise SystemExit(main())
