# SPDX-License-Identifier: BSD-3-Clause
"""The header of a .bit file: which run of Vivado wrote it, and for which device.

A header is five fields, each of a letter, a length and its bytes: the design with its settings
(``board_wrapper;UserID=0XFFFFFFFF;Version=2022.1``), the part, the date, the time, and the bits.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

OPENING = bytes((0x00, 0x09, 0x0F, 0xF0, 0x0F, 0xF0, 0x0F, 0xF0, 0x0F, 0xF0, 0x00, 0x00, 0x01))
NO_STAMP = "ffffffff"  # the user ID of a bitstream that was given none


class BitFault(ValueError):
    """A .bit file is damaged; the message says how."""


@dataclass(frozen=True)
class BitHeader:
    """What a .bit file says of itself.

    Attributes
    ----------
    part : str
        Such as ``7z020clg400`` or ``xczu7ev-ffvc1156-2-e``.
    version : str
        Of Vivado, such as ``2022.1``; empty if another program wrote the file.
    stamp : str
        The user ID, eight hexadecimal digits; `NO_STAMP`: none was given.
    """

    part: str
    version: str
    stamp: str


def read_header(file: Path) -> BitHeader:
    """Read the header; raises BitFault, also if the file is shorter than its header says."""
    content = file.read_bytes()
    if not content.startswith(OPENING):
        raise BitFault(f"{file.name} does not begin as a .bit file")
    fields: dict[str, str] = {}
    place = len(OPENING)
    for letter in "abcd":
        size = int.from_bytes(content[place + 1 : place + 3], "big")
        if content[place : place + 1] != letter.encode():
            raise BitFault(f"{file.name} has no field {letter!r} in its header")
        fields[letter] = content[place + 3 : place + 3 + size].rstrip(b"\0").decode("latin-1")
        place += 3 + size
    bits = int.from_bytes(content[place + 1 : place + 5], "big")
    if content[place : place + 1] != b"e" or len(content) - place - 5 != bits:
        raise BitFault(f"{file.name} is cut off: {len(content)} bytes")
    version = re.search(r"Version=(\d{4}\.\d)", fields["a"])
    stamp = re.search(r"UserID=(?:0[xX])?([0-9a-fA-F]{8})", fields["a"])
    return BitHeader(
        part=fields["b"],
        version=version[1] if version else "",
        stamp=stamp[1].lower() if stamp else NO_STAMP,
    )


def same_part(told: str, part: str) -> bool:
    """Whether a file is for a part; headers leave out ``xc``, dashes and the speed grade."""
    short, whole = (re.sub("^xc|-", "", text.lower()) for text in (told, part))
    return bool(short) and whole.startswith(short)
