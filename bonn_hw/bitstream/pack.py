# SPDX-License-Identifier: BSD-3-Clause
"""Build -> folder that is copied to the board: driver, metadata, golden frames, bitstream."""

from __future__ import annotations

import io
import json
import shutil
import zipfile
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bonn_hw import driver
from bonn_hw.driver.layout import Side
from bonn_hw.driver.metadata import VERSION
from bonn_hw.emit.system import Slots, digest
from bonn_hw.emit.top import emit
from bonn_hw.files import MARK, fresh_folder
from bonn_hw.frontend import Host
from bonn_hw.frontend.numpy_host import Steps, head_of, tail_of
from bonn_hw.ir.design import FoldedDesign
from bonn_hw.ir.rtl import Port
from bonn_hw.report.store import save
from bonn_hw.report.values import Report

DRIVER = "bonn_driver"  # its folder on the board
NOTEBOOK = "measure.ipynb"
GOLDEN = 8  # frames
SUFFIXES = (".bit", ".bin", ".fs")  # of bitstreams, as the families' programmers expect them
ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)  # the same content gives the same bytes


def pack(
    design: FoldedDesign,
    host: Host,
    report: Report,
    out: Path,
    name: str = "accelerator",
    bitstream: Path | None = None,
    address: int | None = None,
    baud: int | None = None,
) -> None:
    """Write the folder for the board.

    Parameters
    ----------
    report : Report
        The build's report.
    name : str
        Stem of the files: NAME.json and NAME.npz belong to the bitstream, NAME.bit (for some
        families NAME.bin or NAME.fs), and NAME.hwh.
    bitstream : Path or None
        Folder with the bitstream and, from Vivado, NAME.hwh; None if they are not made yet.
    address : int or None
        Address of the registers; None: it is in the .hwh.
    baud : int or None
        Bits per second of the serial line, for a board that has one; it has no .hwh.

    Raises
    ------
    UnsupportedModel
        If what the host computes before the accelerator needs ONNX Runtime.
    UserError
        If the folder cannot be written.
    """
    arrays, metadata = _contents(design, host, report)
    metadata |= {"address": address, "baud": baud}
    with fresh_folder(out) as folder:
        (folder / f"{name}.json").write_text(json.dumps(metadata, indent=1) + "\n")
        (folder / f"{name}.npz").write_bytes(_archive(arrays))
        if bitstream is not None:
            for suffix in (*SUFFIXES, ".hwh"):
                if (bitstream / f"{name}{suffix}").is_file():
                    shutil.copyfile(bitstream / f"{name}{suffix}", folder / f"{name}{suffix}")
        save(report, folder / MARK)
        (folder / DRIVER).mkdir()
        for source in sorted(Path(driver.__file__).parent.glob("*.py")):
            shutil.copyfile(source, folder / DRIVER / source.name)
        shutil.copyfile(Path(driver.__file__).with_name(NOTEBOOK), folder / NOTEBOOK)


def bitstream_in(folder: Path, name: str) -> Path | None:
    """The bitstream in a folder that `pack` wrote, if it has one."""
    files = (folder / f"{name}{suffix}" for suffix in SUFFIXES)
    return next((file for file in files if file.is_file()), None)


def _contents(
    design: FoldedDesign, host: Host, report: Report
) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    project = emit(design, watched=True)
    golden = host.random_frames(GOLDEN)
    head = head_of(host, golden)
    tail = tail_of(host, design.graph.tensors[design.graph.output])
    arrays: dict[str, NDArray[Any]] = {
        "encode_order": host.encode_order,
        "decode_order": host.decode_order.reshape(-1),
        "answers": tail.table,
        "golden_images": golden,
        "golden_answers": tail.host.decode(design.graph.run(host.encode(golden))),
        **(head.constants if head else {}),
        **(tail.steps.constants if tail.steps else {}),
    }
    metadata = {
        "version": VERSION,
        "hash": digest(project)[:32],
        "board": report.target.board,
        "part": report.target.part,
        "clock_mhz": report.target.clock_mhz,
        "cycles_per_frame": report.cycles_per_frame.predicted,
        "latency_cycles": report.latency_cycles.predicted,
        "streams": [f"{s.source or 'input'} -> {s.sink or 'output'}" for s in design.streams],
        "input_shape": list(host.input_shape),
        "output_shape": list(tail.shape),
        "input": asdict(_side(project.source)),
        "output": asdict(_side(project.sink)),
        "step": host.input_scale,
        "stated": host.stated and asdict(host.stated),
        "head": _written(head),
        "answers_from": tail.low,
        "tail": _written(tail.steps),
        "ends_before": tail.ends_before,
        "outputs": [[one.name, list(one.shape), one.dtype] for one in tail.host.outputs],
    }
    return arrays, metadata


def _written(part: Steps | None) -> dict[str, Any] | None:
    if part is None:
        return None
    return {"steps": part.steps, "entry": part.entry, "exit": part.exit}


def _side(port: Port) -> Side:
    slots, element = Slots.of(port), port.element
    return Side(
        port.lanes,
        port.beats,
        element.bits,
        element.low,
        element.high,
        element.bipolar,
        slots.slot,
        8 * slots.words,
    )


def _archive(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """An .npz file without timestamps, so that it is reproducible."""
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(arrays):
            one = io.BytesIO()
            np.lib.format.write_array(one, np.ascontiguousarray(arrays[name]))
            archive.writestr(zipfile.ZipInfo(f"{name}.npy", ZIP_EPOCH), one.getvalue())
    return whole.getvalue()
