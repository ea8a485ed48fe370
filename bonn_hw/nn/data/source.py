# SPDX-License-Identifier: BSD-3-Clause
"""A data set as a value: its reader, its files, and the folders that are searched for them."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from bonn_hw import cache
from bonn_hw.errors import UserError
from bonn_hw.nn.data.labelled_images import Dataset

if TYPE_CHECKING:
    # Reads batch by batch, with torch.
    from bonn_hw.nn.data.image_folder import ImageFolder


@dataclass(frozen=True)
class Archive:
    """A published archive of a data set's files.

    Attributes
    ----------
    folder
        URL of the folder that holds it.
    file
        Its name there.
    md5
        MD5 of the archive, as its web page states it.
    """

    folder: str
    file: str
    md5: str


@dataclass(frozen=True)
class Source:
    """Everything that is known of one data set.

    Attributes
    ----------
    name
        As an experiment file names it.
    read
        The reader. Its arguments: this value, the split, and the user's folder or None.
    classes
        The name of every label; empty where the user's folders name them.
    files
        Split -> its files, as the published archive names them.
    sha256
        File -> SHA-256 of its content, unpacked; empty where none is published.
    in_memory
        True: read at once, as a `Dataset`; False: read batch by batch, as an `ImageFolder`.
    installed
        Folders into which Debian's package installs the files.
    package
        Name of Debian's package.
    mirrors
        URLs of folders that hold the files, each gzipped.
    archive
        The archive that holds all files.
    remedy
        How to get the files, for the error message when they are missing.
    """

    name: str
    read: Callable[[Source, str, str | Path | None], Dataset | ImageFolder]
    classes: tuple[str, ...] = ()
    files: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    sha256: Mapping[str, str] = field(default_factory=dict)
    in_memory: bool = True
    installed: tuple[str, ...] = ()
    package: str = ""
    mirrors: tuple[str, ...] = ()
    archive: Archive | None = None
    remedy: str = ""

    def folders(self, root: str | Path | None = None) -> list[Path]:
        """The folders in which the files are looked for, in order.

        If `root` is given, no other folder is searched: the user wants the data of that one.
        """
        if root is not None:
            return [Path(root).expanduser()]
        bases = [Path(os.environ["BONN_HW_DATA"])] if os.environ.get("BONN_HW_DATA") else []
        spellings = (self.name, self.name.replace("-", "_"))
        places = [base / spelling for base in bases for spelling in spellings]
        places += [Path(folder) for folder in self.installed]
        return list(dict.fromkeys([*places, cache.folder() / self.name]))

    def find(self, root: str | Path | None, files: list[tuple[str, ...]]) -> list[Path]:
        """Find the first folder that holds all `files`, each under one of its names.

        Raises
        ------
        UserError
            If no folder holds all of them.
        """
        places = self.folders(root)
        for folder in places:
            paths = [
                next((folder / f for f in spellings if (folder / f).is_file()), None)
                for spellings in files
            ]
            if all(paths):
                return [path for path in paths if path]
        raise UserError(
            f"data set {self.name}: {files[0][0]} is in none of {', '.join(map(str, places))}; "
            + self.remedy
            + ("" if root is not None else ", or name your folder as root")
        )
