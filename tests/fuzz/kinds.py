# SPDX-License-Identifier: BSD-3-Clause
"""The kinds of inputs: seeds, a mutation, and the command that reads the damaged file."""

from __future__ import annotations

import io
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bonn_hw.cli.main import main
from bonn_hw.files import shipped
from tests.fuzz.content import (
    Random,
    changed_bytes,
    changed_json,
    changed_toml,
    one_of,
)
from tests.fuzz.onnx_files import mutated
from tests.support.learnt import NETWORKS

Case = Callable[[Random, Path], int]  # mutates, runs, and returns the exit code


@dataclass(frozen=True)
class Kind:
    """Makes the seeds in a folder once; the result is a function of each case."""

    name: str
    make: Callable[[Path], Case]


def command(*words: object) -> int:
    """Run a command in this process; errors print their traceback."""
    try:
        return main(["--debug", *map(str, words)])
    except SystemExit as ended:  # of argparse
        return int(ended.code or 0)


def models(seeds: Path) -> list[Path]:
    """Small model files."""
    found = []
    for name, network in NETWORKS.items():
        folder = seeds / name
        folder.mkdir(parents=True, exist_ok=True)
        found.append(network().write(folder))
    return found


def onnx(seeds: Path) -> Case:
    contents = [file.read_bytes() for file in models(seeds)]

    def case(random: Random, folder: Path) -> int:
        file = folder / "model.onnx"
        file.write_bytes(mutated(one_of(random, contents), random))
        if random.random() < 0.1:
            code = command("compile", file, "--fps", 1000, "--out", folder / "build")
            if (folder / "build").exists() != (code == 0):
                raise AssertionError(f"exit code {code} and a build that should not be so")
            return code
        return command("check", file)

    return case


def _compiled(seeds: Path) -> tuple[Path, Path]:
    model, build = models(seeds)[1], seeds / "build"
    if command("compile", model, "--fps", 1000, "--out", build):
        raise AssertionError("the seed cannot be compiled")
    return model, build


def _damage(path: Path, random: Random) -> None:
    content = path.read_bytes()
    match int(random.integers(8)):
        case 0:
            path.unlink()
        case 1:
            path.write_bytes(b"")
        case 2:
            path.unlink()
            path.mkdir()
        case 3:
            path.unlink()
            path.symlink_to(one_of(random, ("/dev/null", "nowhere", path.name, "/dev/zero")))
        case 4 | 5 if path.suffix == ".json":
            path.write_bytes(changed_json(content, random))
        case 4 | 5 if path.suffix == ".npz":
            path.write_bytes(_changed_archive(content, random))
        case _:
            path.write_bytes(changed_bytes(content, random))


def _changed_archive(content: bytes, random: Random) -> bytes:
    """An archive with another array in the place of one."""
    with np.load(io.BytesIO(content)) as file:
        arrays = dict(file)
    name = one_of(random, list(arrays))
    match int(random.integers(4)):
        case 0:
            del arrays[name]
        case 1:
            arrays[name] = arrays[name].astype(one_of(random, (np.float64, np.int8, "S3")))
        case 2:
            arrays[name] = arrays[name][..., None].repeat(2, axis=-1)
        case _:
            arrays[name] = np.array(one_of(random, (0, np.nan, 1 << 62)))
    stream = io.BytesIO()
    np.savez(stream, **arrays)
    return stream.getvalue()


def build(seeds: Path) -> Case:
    _, seed = _compiled(seeds)
    files = sorted(path.relative_to(seed) for path in seed.rglob("*") if path.is_file())

    def case(random: Random, folder: Path) -> int:
        shutil.copytree(seed, folder / "build")
        for _ in range(int(random.integers(1, 3))):
            target = folder / "build" / one_of(random, files)
            if target.is_file() and not target.is_symlink():
                _damage(target, random)
        words = one_of(random, (["report"], ["export-finn"], ["export-finn", "--trust"]))
        return command(words[0], folder / "build", *words[1:])

    return case


def report(seeds: Path) -> Case:
    _, seed = _compiled(seeds)

    def case(random: Random, folder: Path) -> int:
        shutil.copytree(seed, folder / "build")
        file = folder / "build" / one_of(random, ("report.json", "report/predicted.json"))
        file.write_bytes(changed_json(file.read_bytes(), random))
        words = one_of(random, (["report"], ["export-finn"]))
        return command(words[0], folder / "build")

    return case


def array(seeds: Path) -> Case:
    from bonn_hw.build_folder import Build
    from bonn_hw.images import ImageSource

    _, seed = _compiled(seeds)
    host = Build.load(seed).host
    plain = host.random_frames(3)
    contents = []
    for value in (plain, plain[0], plain.astype(np.float64), np.float32(1), plain * np.nan):
        stream = io.BytesIO()
        np.save(stream, value)
        contents.append(stream.getvalue())
    stream = io.BytesIO()
    np.savez(stream, x=plain)
    contents.append(stream.getvalue())

    def case(random: Random, folder: Path) -> int:
        content = one_of(random, contents)
        header = content[:128].replace(b"(3,", one_of(random, (b"(9" + b"9" * 16 + b",", b"(-3,")))
        content = header + content[128:] if random.random() < 0.2 else content
        file = folder / one_of(random, ("x.npy", "x.npz", "x"))
        file.write_bytes(changed_bytes(content, random) if random.random() < 0.8 else content)
        host.encode(ImageSource(file, None, 2).load(host.input_shape, None).values)
        return 0

    return case


def folding(seeds: Path) -> Case:
    model, seed = _compiled(seeds)
    contents = [(seed / name).read_bytes() for name in ("folding.json", "finn_folding.json")]

    def case(random: Random, folder: Path) -> int:
        file = folder / "folding.json"
        file.write_bytes(changed_json(one_of(random, contents), random))
        return command("compile", model, "--folding", file, "--out", folder / "build")

    return case


def experiment(seeds: Path) -> Case:
    from bonn_hw.nn.training.experiment import Experiment

    files = sorted(shipped("flows", "experiments").glob("*.toml"))
    contents = [file.read_bytes() for file in files]

    def case(random: Random, folder: Path) -> int:
        file = folder / "experiment.toml"
        file.write_bytes(changed_toml(one_of(random, contents), random))
        Experiment.read(file)
        return 0

    return case


def sweep(seeds: Path) -> Case:
    from bonn_hw.sweep import read_sweep

    (model, *_) = models(seeds)
    text = (
        f'models = ["{model}"]\nboards = ["pynq-z2", "ulx3s-85f"]\nfps = [100, "max"]\n'
        "clocks_mhz = [50, 100.0]\nlut_fraction = 0.5\n"
    )

    def case(random: Random, folder: Path) -> int:
        file = folder / "sweep.toml"
        file.write_bytes(changed_toml(text.encode(), random))
        read_sweep(file)
        return 0

    return case


def board(seeds: Path) -> Case:
    from bonn_hw import boards
    from bonn_hw.boards.read import read

    contents = [file.read_bytes() for file in sorted(boards.PACKAGE.glob("*.toml"))]

    def case(random: Random, folder: Path) -> int:
        file = folder / "board.toml"
        file.write_bytes(changed_toml(one_of(random, contents), random))
        read(file)
        return 0

    return case


def checkpoint(seeds: Path) -> Case:
    import torch

    from bonn_hw.nn.training.checkpoint import CHECKPOINT, WEIGHTS, Checkpoint

    run = shipped("zoo", "digits")
    trained = Checkpoint.load(run)
    state = {f"network.{k}": v for k, v in trained.network.state_dict().items()}
    stream = io.BytesIO()
    torch.save({"state_dict": state}, stream)

    def case(random: Random, folder: Path) -> int:
        shutil.copytree(run, folder / "run")
        if random.random() < 0.5:
            (folder / "run" / WEIGHTS).unlink()
            (folder / "run" / CHECKPOINT).parent.mkdir(exist_ok=True)
            (folder / "run" / CHECKPOINT).write_bytes(stream.getvalue())
        names = [name for name in (WEIGHTS, CHECKPOINT) if (folder / "run" / name).is_file()]
        file = folder / "run" / one_of(random, [*names, "experiment.toml"])
        if file.suffix == ".toml":
            file.write_bytes(changed_toml(file.read_bytes(), random))
        else:
            _damage(file, random)
        Checkpoint.load(folder / "run")
        return 0

    return case


KINDS: Sequence[Kind] = (
    *(Kind("onnx", onnx), Kind("build", build), Kind("report", report), Kind("array", array)),
    *(Kind("folding", folding), Kind("experiment", experiment), Kind("sweep", sweep)),
    *(Kind("board", board), Kind("checkpoint", checkpoint)),
)
