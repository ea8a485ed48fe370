# SPDX-License-Identifier: BSD-3-Clause
"""`bonn_hw.search`: find the network for a board; needs the extras train and explore."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bonn_hw.api.exporting import torch_needed
from bonn_hw.api.progress import Shown, shown
from bonn_hw.api.simulation import Simulation, simulation_of
from bonn_hw.errors import UserError

if TYPE_CHECKING:
    from bonn_hw.explore.rows import FrontRow, PointRow
    from bonn_hw.explore.space import Space


@dataclass(frozen=True, eq=False)
class Searched:
    """The front of a search, and the folder that holds it.

    Attributes
    ----------
    folder : Path
        With the page, the points and the study.
    front : FrontRow
        What ``front.json`` says: points, hypervolume, how many candidates were trained.
    """

    folder: Path
    front: FrontRow
    _space: Space

    @property
    def points(self) -> tuple[PointRow, ...]:
        """The networks that no other candidate beats in both accuracy and cost, cheapest first."""
        return self.front.points

    def finish(
        self,
        point: int,
        count: int | None = None,
        *,
        jobs: int = 1,
        progress: Shown = None,
    ) -> Simulation:
        """Train a point on all training images, compile and simulate it, and compare.

        Its run and build are in ``points`` of the folder.

        Parameters
        ----------
        point : int
            From 1.
        count : int or None
            Test images that are simulated; None: all.
        """
        from bonn_hw.explore.finish import finish

        with torch_needed("finish"), shown("finish", progress) as step:
            outcome = finish(self.folder, point, self._space.goal, count, jobs, step)
        own = self._space.own_network is not None
        return simulation_of(outcome, None, False, of_pytorch=own)

    def __repr__(self) -> str:
        return f"<Searched {self.folder}: {len(self.points)} points on the front>"


def search(
    space: str | Path,
    out: str | Path,
    *,
    network: Callable[[Any], Any] | None = None,
    data: Callable[[str], Any] | None = None,
    jobs: int = 1,
    cluster: str | None = None,
    sampler: str | None = None,
    storage: str | None = None,
    progress: Shown = None,
) -> Searched:
    """Search the network that fits a board and is most accurate, as ``bonn-hw explore`` does.

    Parameters
    ----------
    space : str or Path
        The space file (.toml).
    out : str or Path
        Folder of the search; a search that is there already goes on.
    network, data : function or None
        Your ``def space(trial)`` and ``def data(split)``, instead of those that the file names.
        Their file is copied into `out`, and must stand alone.
    jobs : int
        Trainings at the same time, each in a process.
    cluster, sampler, storage : str or None
        As ``--cluster``, ``--sampler`` and ``--storage``.

    Returns
    -------
    Searched

    Raises
    ------
    UserError
        For bad input, before anything is trained.
    """
    from bonn_hw.explore.space_file import read_space

    names, folder = _names({"network": network, "data": data})
    with torch_needed("search"):
        from bonn_hw.explore.result import front_row
        from bonn_hw.explore.run import explore_space

        read = read_space(Path(space), names, folder)
        with shown("search", progress) as step:
            found = explore_space(
                read, str(space), Path(out), jobs, cluster, sampler, storage, step
            )
        return Searched(Path(out), front_row(found), found.space)


def _names(given: dict[str, Callable[..., Any] | None]) -> tuple[dict[str, str], str | None]:
    """The names of functions by table, and the folder of their file."""
    names, folders = {}, set()
    for table, function in given.items():
        if function is None:
            continue
        name = getattr(function, "__qualname__", "<lambda>")
        source = None if "<" in name else inspect.getsourcefile(function)
        if source is None or not Path(source).is_file():
            raise UserError(
                f"search: {table}= is {name!r}, which is not at the top of a file; write it there, "
                "since a copy of the file is kept with each run"
            )
        names[table] = f"{Path(source).name}:{name}"
        folders.add(str(Path(source).parent))
    if len(folders) > 1:
        raise UserError(
            "search: network= and data= are in different folders; put their files into one"
        )
    return names, folders.pop() if folders else None
