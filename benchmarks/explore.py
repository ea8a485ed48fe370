# SPDX-License-Identifier: BSD-3-Clause
"""What a sampler is worth: ``python -m benchmarks.explore --out build/explore``.

The same space is searched by NSGA-II, by TPE and at random, with the same number of candidates, in
several studies each. The hypervolume of a study is the share of accuracy and cost that its front
covers (docs/howto/explore.md). Accuracies are those on held-out images. A study is a folder: what
is there is kept, and an interrupted one goes on. ``--page docs/howto/explore.md`` writes the table.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bonn_hw.explore.result import result_of
from bonn_hw.explore.search import SearchRun
from bonn_hw.explore.space import SAMPLERS, Space
from bonn_hw.explore.space_file import read_space
from bonn_hw.explore.study import Study
from bonn_hw.explore.workers import workers
from bonn_hw.marked_page import rewritten

BEGIN = "<!-- samplers: written by python -m benchmarks.explore -->"
END = "<!-- end of samplers -->"
NAMES = {"nsga2": "NSGA-II", "tpe": "TPE", "random": "random search"}


@dataclass(frozen=True)
class Row:
    """A finished study."""

    sampler: str
    seed: int
    hypervolume: float
    accuracy: float
    points: int
    trained: int
    hours: float


def main() -> int:
    """Search what is missing, print the table, and write it if a page is given."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--space", type=Path, default=Path("flows/explore/digits.toml"))
    parser.add_argument("--out", type=Path, default=Path("build/explore"))
    parser.add_argument("--studies", type=int, default=3)
    parser.add_argument("--trials", type=int, help="candidates of a study; default: the file's")
    parser.add_argument("--epochs", type=int, help="of a whole training; default: the file's")
    parser.add_argument("--stages", type=int, help="of successive halving; default: the file's")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--page", type=Path)
    options = parser.parse_args()
    space = _smaller(read_space(options.space), options)
    rows = []
    for seed in range(1, options.studies + 1):
        for sampler in SAMPLERS:  # so that those of one seed are complete first
            rows.append(study(space, sampler, seed, options.out, options.jobs))
            print(rows[-1], file=sys.stderr, flush=True)
    lines = list(table(rows, space, options.space))
    print("\n".join(lines))
    if options.page is not None:
        options.page.write_text(rewritten(options.page.read_text(), BEGIN, lines, END))
    return 0


def _smaller(space: Space, options: argparse.Namespace) -> Space:
    """The space with the budget of the command line."""
    given = {key: getattr(options, key) for key in ("trials", "stages")}
    search = replace(space.search, **{k: v for k, v in given.items() if v is not None})
    tables = {**space.tables}
    if options.epochs is not None:
        tables["training"] = {**tables["training"], "epochs": options.epochs}
    return replace(space, search=search, tables=tables)


def study(space: Space, sampler: str, seed: int, out: Path, jobs: int) -> Row:
    """Search, or go on, in a folder of its own; nothing is trained if it is finished."""
    folder = (out / f"{sampler}-{seed}").resolve()
    folder.mkdir(parents=True, exist_ok=True)
    one = replace(space, search=replace(space.search, sampler=sampler, seed=seed))
    kept = Study(one, folder, None)
    with workers(jobs, None) as crew:
        SearchRun(one, kept, folder, crew).run()
    found = result_of(one, kept)
    best = max((point.accuracy for point in found.points), default=0.0)
    trained = found.counts.trained
    return Row(sampler, seed, found.hypervolume, best, len(found.points), trained, found.hours)


def table(rows: Sequence[Row], space: Space, file: Path) -> Iterator[str]:
    """The table: a line for each sampler, with its studies in the order of their seeds."""
    search, epochs = space.search, space.tables["training"]["epochs"]
    budget = f"{search.hours:g} hours" if search.trials is None else f"{search.trials} candidates"
    yield (
        f"`{file}`, {budget} a study, {search.stages} stages up to {epochs} epochs, held-out "
        "accuracy:"
    )
    yield ""
    yield "| sampler | hypervolume of each study | mean ± deviation | best accuracy | trained |"
    yield "|---|---|---|---|---|"
    for sampler in SAMPLERS:
        own = [row for row in rows if row.sampler == sampler]
        volumes = [row.hypervolume for row in own]
        spread = f" ± {statistics.stdev(volumes):.4f}" if len(volumes) > 1 else ""
        yield (
            f"| {NAMES[sampler]} | {', '.join(f'{one:.4f}' for one in volumes)} "
            f"| {statistics.fmean(volumes):.4f}{spread} "
            f"| {max(row.accuracy for row in own):.2%} "
            f"| {', '.join(str(row.trained) for row in own)} |"
        )


if __name__ == "__main__":
    sys.exit(main())
