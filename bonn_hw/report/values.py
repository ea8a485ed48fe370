# SPDX-License-Identifier: BSD-3-Clause
"""Reports: plain JSON whose key names are a contract."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import bonn_hw
from bonn_hw import files
from bonn_hw.boards import BOARDS
from bonn_hw.errors import UserError
from bonn_hw.ir.resources import Resources
from bonn_hw.ir.target import Board, Target
from bonn_hw.kernels.cost import BRAM36_BITS
from bonn_hw.passes.fifo_sizing import depths_of
from bonn_hw.passes.folding import Choice
from bonn_hw.passes.plan import Plan, total
from bonn_hw.synth.netlist import Use

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from bonn_hw.report.answers import Answers

NAME = "report.json"
RESOURCES = ("lut", "ff", "bram36", "dsp")


def save(facts: dict[str, Any], path: Path) -> None:
    """Write a report, whole or not at all."""
    with files.fresh_file(path) as partial:
        partial.write_text(json.dumps(facts, indent=2) + "\n")


def load(path: Path) -> dict[str, Any]:
    """Read a report; raises UserError where it is none."""
    try:
        facts = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise UserError(f"report {path} cannot be read: {error}; compile again") from error
    if not isinstance(facts, dict):
        raise UserError(f"report {path} holds no object; compile again")
    return facts


def compiled(
    planned: Plan, target: Target, model: Mapping[str, Any], findings: Sequence[str]
) -> dict[str, Any]:
    """What is known after compilation: every figure is predicted."""
    timing, used = planned.timing, total(planned.design)
    depths = depths_of(planned.design)
    return {
        "model": dict(model),
        "target": _target(target),
        "cycles_per_frame": {"predicted": timing.interval, "simulated": None},
        "latency_cycles": {"predicted": timing.latency, "simulated": None},
        "frames_per_second": {"predicted": round(target.rate(timing.interval), 1)},
        "resources": {
            name: {"predicted": round(amount, 1), "available": holds}
            for name, amount, holds in zip(
                RESOURCES, used.astuple(), target.board.holds.astuple(), strict=True
            )
        },
        "block_memory": {
            "held_bits": round(used.block_bits),
            "filled": {"predicted": _filled(used.block_bits, used.bram36), "synthesised": None},
        },
        "boards": {
            name: not board.lacks(used)
            for name, board in {**BOARDS, target.board.name: target.board}.items()
        },
        "optimum": planned.optimum,
        "notes": list(planned.notes),
        "layers": [
            {
                "name": stage.name,
                "kernel": stage.node.kernel.stem,
                "origin": stage.node.origin,
                "pe": stage.folding.pe,
                "simd": stage.folding.simd,
                "cycles": {"predicted": stage.cycles, "simulated": None},
                "resources": _rounded(stage.node.kernel.resources(stage.folding)),
                **({"fifo": {"depth": depths[name], "peak": peak}} if name in depths else {}),
            }
            for stage, peak in zip(planned.design.stages, timing.peaks, strict=True)
            for name in stage.node.outputs[:1]
        ],
        "findings": [
            *findings,
            *target.board.notes(target.clock_mhz),
            *_shortfall(target, timing.interval),
            *_misfits(used, target.board),
        ],
        "tools": tools(),
    }


def front(choices: Sequence[Choice], target: Target, model: Mapping[str, Any]) -> dict[str, Any]:
    """All trade-offs of frames and resources, FIFOs not counted."""
    budget = Resources(*target.board.holds.astuple())
    return {
        "model": dict(model),
        "target": _target(target),
        "front": [
            {
                "frames_per_second": round(target.rate(choice.cycles), 1),
                "cycles": choice.cycles,
                **_rounded(choice.resources),
                "fits": all(
                    used <= holds
                    for used, holds in zip(
                        choice.resources.astuple(), budget.astuple(), strict=True
                    )
                ),
            }
            for choice in choices
        ],
        "findings": ["FIFOs are not counted: they are found when one of the designs is folded"],
        "tools": tools(),
    }


def _target(target: Target) -> dict[str, Any]:
    return {
        "board": target.board.name,
        "part": target.board.part,
        "clock_mhz": target.clock_mhz,
        "fps": target.fps,
    }


def _rounded(resources: Resources) -> dict[str, float]:
    return {
        name: round(amount, 1) for name, amount in zip(RESOURCES, resources.astuple(), strict=True)
    }


def _filled(held_bits: float, bram36: float) -> float | None:
    """Part of block memories that holds anything; None where there is no block memory."""
    return round(held_bits / (bram36 * BRAM36_BITS), 3) if bram36 else None


def _shortfall(target: Target, interval: int) -> list[str]:
    """Say where the stages together are slower than each alone."""
    reached = target.clock_mhz * 1e6 / interval
    if target.fps is None or reached >= target.fps:
        return []
    return [
        f"predicted to reach {reached:,.1f} frames per second, not {target.fps:,.1f}: ask for a "
        "few more, so that all layers become faster"
    ]


def _misfits(total: Resources, board: Board) -> list[str]:
    """Say where a design is predicted to be larger than its board."""
    return [
        f"predicted to need {used:,.0f} {name}, but {board.name} holds {holds:,.0f}: ask for fewer "
        "frames per second, or a larger board"
        for name, used, holds in board.lacks(total)
    ]


def tools() -> dict[str, str]:
    """Versions of what took part, by package name."""
    versions = {"bonn_hw": bonn_hw.__version__, "python": platform.python_version()}
    for name in ("numpy", "onnx", "onnxruntime", "qonnx", "torch", "brevitas"):
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return versions


def simulated(
    facts: dict[str, Any],
    answers: Answers,
    labels: NDArray[np.int64] | None,
    pytorch: NDArray[np.float32] | None,
    pytorch_integers: NDArray[np.floating[Any]] | None,
    stall: int | None,
) -> dict[str, Any]:
    """Complete the report of a build with what a simulation found.

    Parameters
    ----------
    labels : int64 ``(N,)`` or None
    pytorch, pytorch_integers : float32 ``(N, classes)`` or None
        PyTorch's answer, and the integers behind it (its last matrix product).
    """
    frames = len(answers.y)
    differs = {
        "rtl_integer": _unequal(answers.rtl, answers.integer),
        "rtl_qonnx": _unequal(answers.y, answers.qonnx),
    }
    if pytorch is not None and pytorch_integers is not None:
        # The last ulp of a float may differ there; the integers and the class must not.
        differs["rtl_pytorch"] = _unequal(
            answers.rtl.reshape(frames, -1), pytorch_integers.reshape(frames, -1)
        ) | (_classes(answers.y) != _classes(pytorch))
    run = answers.run
    accuracy = {}
    if labels is not None:
        accuracy = {
            "pytorch": _accuracy(pytorch, labels),
            "qonnx": _accuracy(answers.qonnx, labels),
            "integer": _accuracy(answers.y_integer, labels),
            "rtl": _accuracy(answers.y, labels),
        }
    layers = [
        {**layer, "cycles": {**layer["cycles"], "simulated": cycles}}
        for layer, cycles in zip(facts["layers"], run.stage_cycles, strict=True)
    ]
    return facts | {
        "frames": frames,
        "mismatches": int(np.logical_or.reduce(list(differs.values())).sum()),
        "mismatches_between": {name: int(frames.sum()) for name, frames in differs.items()},
        "accuracy": accuracy,
        "cycles_per_frame": facts["cycles_per_frame"] | {"simulated": run.interval},
        "latency_cycles": facts["latency_cycles"] | {"simulated": run.latency},
        "layers": layers,
        "stall_seed": stall,
        "simulation": {
            "cycles": run.cycles,
            "seconds": round(run.seconds, 3),
            "cycles_per_second": round(run.cycles_per_second),
            "frames_per_second": round(frames / run.seconds, 2),
        },
        "tools": facts["tools"] | tools() | {"verilator": run.verilator},
    }


def synthesised(
    facts: dict[str, Any], whole: Use | None, stages: Mapping[str, Use], version: str
) -> dict[str, Any]:
    """Complete the report of a build with what synthesis found, of the design or of some stages."""
    layers = [
        layer | ({"synthesised": asdict(stages[layer["name"]])} if layer["name"] in stages else {})
        for layer in facts["layers"]
    ]
    facts = facts | {"layers": layers, "tools": facts["tools"] | {"pyosys": version}}
    if whole is None:
        return facts
    resources = {
        name: figures | {"synthesised": getattr(whole, name)}
        for name, figures in facts["resources"].items()
    }
    memory = facts["block_memory"]
    filled = memory["filled"] | {"synthesised": _filled(memory["held_bits"], whole.bram36)}
    return facts | {
        "resources": resources,
        "block_memory": memory | {"filled": filled},
        "synthesis": asdict(whole),
    }


def _unequal(one: NDArray[Any], other: NDArray[Any]) -> NDArray[np.bool_]:
    frames = len(one)
    different: NDArray[np.bool_] = (one.reshape(frames, -1) != other.reshape(frames, -1)).any(1)
    return different


def _classes(answers: NDArray[Any]) -> NDArray[np.intp]:
    return answers.reshape(len(answers), -1).argmax(axis=1)


def _accuracy(answers: NDArray[Any] | None, labels: NDArray[np.int64]) -> float | None:
    return None if answers is None else round(float((_classes(answers) == labels).mean()), 6)
