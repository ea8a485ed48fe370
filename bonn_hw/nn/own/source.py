# SPDX-License-Identifier: BSD-3-Clause
"""Functions in a user's file, named ``FILE.py:FUNCTION`` in experiments and space files.

The file lies beside the experiment that names it. Runs and searches keep a copy of it and use the
copy, so that a network can be made again. It must stand alone: it may import what is installed, and
no other file beside it.
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path
from types import ModuleType
from typing import Any

from bonn_hw.errors import UserError, near
from bonn_hw.files import fresh_file


@dataclass(frozen=True)
class OwnName:
    """A function in a file, the file relative to the folder of the experiment."""

    file: str
    function: str

    @classmethod
    def parse(cls, name: object) -> OwnName | None:
        """The parts of ``FILE.py:FUNCTION``; None for any other name."""
        if not isinstance(name, str):
            return None
        file, _, function = name.rpartition(":")
        return cls(file, function) if file.endswith(".py") else None

    def text(self, folder: str) -> str:
        """The content of the file.

        Raises
        ------
        UserError
            If it is not in the folder or below it, or cannot be read.
        """
        if Path(self.file).is_absolute() or ".." in Path(self.file).parts:
            raise UserError(
                f"{self}: the file must be named as it lies beside the experiment or below it, "
                "since a copy is kept with each run; put it there"
            )
        try:
            return Path(folder, self.file).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "not UTF-8"
            raise UserError(
                f"{self}: {Path(folder, self.file)} cannot be read ({reason}); the file must lie "
                "beside the experiment that names it"
            ) from error

    def load(self, folder: str) -> Callable[..., Any]:
        """The function; the file is executed when its content is new to this process.

        Raises
        ------
        UserError
            If the file cannot be executed, or has no such function.
        """
        module = _module(str(Path(folder, self.file)), self.text(folder))
        function = getattr(module, self.function, None)
        if not callable(function):
            functions = [k for k, v in vars(module).items() if callable(v) and k[0] != "_"]
            raise UserError(
                f"{self}: {self.file} has no function {self.function!r}"
                f"{near(self.function, functions)}; define it there"
            )
        return function  # type: ignore[no-any-return]

    def __str__(self) -> str:
        return f"{self.file}:{self.function}"


@cache
def _module(path: str, text: str) -> ModuleType:
    digest = sha256(text.encode()).hexdigest()[:12]
    module = ModuleType(f"bonn_hw_own_{Path(path).stem}_{digest}")
    module.__file__ = path
    sys.modules[module.__name__] = module  # dataclasses look their module up
    with blamed(path, path):
        exec(compile(text, path, "exec"), module.__dict__)
    return module


@contextmanager
def blamed(what: str, path: str) -> Iterator[None]:
    """Turn an exception in a user's file into an error with its line.

    Parameters
    ----------
    what
        What is run, as the message begins.
    path
        Of the file, as `OwnName.load` executed it.
    """
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        frames = traceback.extract_tb(error.__traceback__)
        lines = [frame.lineno for frame in frames if frame.filename == path]
        told = (str(error).strip().splitlines() or ["no message"])[0]
        if isinstance(error, SyntaxError):
            lines, told = [error.lineno], error.msg
        place = f", line {lines[-1]}" if lines else ""
        raise UserError(
            f"{what}: {type(error).__name__}{place}: {told}; mend your file, and see that it "
            "imports nothing but installed packages"
        ) from error


def own_names(*names: object) -> list[OwnName]:
    """Those of the names that are of a user's file."""
    return [own for own in map(OwnName.parse, names) if own is not None]


def keep(names: Iterable[OwnName], folder: str, out: Path) -> None:
    """Copy the files of `names` from `folder` to `out`; equal copies may be there already.

    Raises
    ------
    UserError
        If a copy there is of another file.
    """
    for own in names:
        text, target = own.text(folder), out / own.file
        if target.is_file():
            if target.read_text(encoding="utf-8") != text:
                raise UserError(
                    f"{target}: is not the {own.file} that is given; go on with the same file, or "
                    "name another folder"
                )
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        with fresh_file(target) as partial:
            partial.write_text(text, encoding="utf-8")
