# SPDX-License-Identifier: BSD-3-Clause
"""Headers of reports and bitstreams as versions of Vivado write them, by published examples."""

from __future__ import annotations

import re


def report_header(version: str, part: str, timing: bool = True) -> str:
    """Header of a report.

    A timing report has the part without its speed grade, and for UltraScale+ a temperature grade,
    whose name makes the column wider.
    """
    wide = timing and not part.startswith("xc7")
    device = re.sub(r"-\d\w*(-\w+)?$", "", part) if timing else part
    if part.startswith("xc7") and timing:
        device = re.sub(r"^xc(7z\d+)(\w+)$", r"\1-\2", device)
    rights = "Copyright 1986-2022 Xilinx, Inc. All Rights Reserved."
    if version >= "2023":
        rights += f" Copyright 2022-{version[:4]} Advanced Micro Devices, Inc. All Rights Reserved."
    rows = {
        "Tool Version": f"Vivado v.{version} (lin64) Build 3367213 Tue Oct 19 02:47:39 MDT 2021",
        "Date": "Thu Jul  7 03:16:35 2022",
        "Host": "build running 64-bit Ubuntu 20.04.3 LTS",
        "Design": "board_wrapper",
        "Device": device,
        "Speed File": "-1  PRODUCTION 1.29 08-03-2020",
    } | ({"Temperature Grade": "E"} if wide else {})
    width = 17 if wide else 12
    lines = [f"| {name:<{width}} : {value}" for name, value in rows.items()]
    return "\n".join([rights, "-" * 90, *lines, "-" * 90, "", ""])


def bit_file(design: str, part: str, version: str, user_id: str = "FFFFFFFF") -> bytes:
    """A .bit file with a few bits; a Zynq-7000's header has the part without speed grade."""
    named = re.sub(r"^xc(7z\w+)-\d$", r"\1", part)
    told = f"{design};COMPRESS=TRUE;UserID=0X{user_id.upper()};Version={version}"
    texts = {"a": told, "b": named, "c": "2022/10/22", "d": "00:19:03"}
    head = bytes.fromhex("00090ff00ff00ff00ff0000001")
    for letter, text in texts.items():
        octets = text.encode() + b"\0"
        head += letter.encode() + len(octets).to_bytes(2, "big") + octets
    bits = b"\xff" * 32 + bytes.fromhex("000000bb11220044ffffffffffffffffaa995566")
    return head + b"e" + len(bits).to_bytes(4, "big") + bits
