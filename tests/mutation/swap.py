# SPDX-License-Identifier: BSD-3-Clause
"""Exchange the code of a file's functions in the running process."""

from __future__ import annotations

import gc
from collections.abc import Collection, Iterable, Iterator
from types import CodeType, FunctionType
from typing import Final

UNSWAPPABLE: Final = None  # the change is not inside functions alone
Pairs = list[tuple[CodeType, CodeType]]


def exchanged(ours: str, mutated: str, file: str) -> Pairs | None:
    """Each function's code with the mutated one; None if what runs at the import changes, too."""
    pairs: Pairs = []
    left, right = (compile(text, file, "exec", dont_inherit=True) for text in (ours, mutated))
    return pairs if _same_import(left, right, pairs) else UNSWAPPABLE


def functions(files: Collection[str]) -> list[FunctionType]:
    """All functions of some files that there are."""
    found = (one for one in gc.get_objects() if isinstance(one, FunctionType))
    return [function for function in found if function.__code__.co_filename in files]


def exchange(of: Iterable[FunctionType], pairs: Pairs) -> None:
    """Give functions the mutated code."""
    new = {(old.co_filename, old.co_qualname, old.co_firstlineno): code for old, code in pairs}
    for function in of:
        code = function.__code__
        place = code.co_filename, code.co_qualname, code.co_firstlineno
        function.__code__ = new.get(place, code)


def _same_import(left: CodeType, right: CodeType, pairs: Pairs) -> bool:
    """Compare a module's or a class's own code, and gather the functions within."""
    if left.co_code != right.co_code or left.co_names != right.co_names:
        return False
    ours, theirs = ([c for c in code.co_consts if not isinstance(c, CodeType)]
                    for code in (left, right))  # fmt: skip
    if repr(ours) != repr(theirs):
        return False
    for old, new in zip(_within(left), _within(right), strict=True):
        if old.co_name in ("<listcomp>", "<setcomp>", "<dictcomp>", "<genexpr>"):
            if old.co_code != new.co_code or repr(_plain(old)) != repr(_plain(new)):
                return False
        elif old.co_flags & 1:  # CO_OPTIMIZED: a function, and no class
            pairs.append((old, new))
        elif not _same_import(old, new, pairs):
            return False
    return True


def _within(code: CodeType) -> Iterator[CodeType]:
    return (c for c in code.co_consts if isinstance(c, CodeType))


def _plain(code: CodeType) -> list[object]:
    return [c for c in code.co_consts if not isinstance(c, CodeType)]
