# SPDX-License-Identifier: BSD-3-Clause
"""`bonn-hw synth`, with the real Yosys: figures beside the formulas, by stage and in all."""

import json
import shutil

import pytest

from bonn_hw.cli.main import main
from bonn_hw.synth import yosys
from tests.support.sketch import Sketch

pytestmark = pytest.mark.slow  # first: it would else be the end of the run
TOP = "small_top"


@pytest.fixture(scope="module")
def build(tmp_path_factory):
    folder = tmp_path_factory.mktemp("synth")
    sketch = Sketch(2, 4, 4).quant(6, scale=0.25).sign().conv(2, 2, pads=[1] * 4, name="conv1")
    model = sketch.sign().flatten().few_bit_dense(32, 3, name="head").write(folder)
    arguments = ("compile", model, "--fps", 50_000, "--out", folder / "build", "--top", TOP)
    assert main([str(argument) for argument in arguments]) == 0
    return folder / "build"


def facts(build):
    return json.loads((build / "report.json").read_text())


def test_a_stage_and_the_whole(build, monkeypatch, capsys):
    assert main(["synth", str(build), "--kernel", "mvu_0"]) == 0
    (alone,) = (one["synthesised"] for one in facts(build)["layers"] if "synthesised" in one)
    assert facts(build)["resources"]["lut"].get("synthesised") is None
    assert main(["synth", str(build)]) == 0
    found = facts(build)
    assert all("synthesised" in layer for layer in found["layers"])
    (again,) = (one["synthesised"] for one in found["layers"] if one["name"] == "mvu_0")
    assert again["lut"] == pytest.approx(alone["lut"], abs=4)  # which are paired is left to order
    # As long, but from and to whichever of equal paths comes first.
    apart = {"lut": 0, "longest": None}
    assert again | apart == alone | apart
    assert again["longest"]["luts"] == alone["longest"]["luts"]
    assert found["tools"]["pyosys"] == yosys.version()
    for name in ("lut", "ff"):
        parts = sum(layer["synthesised"][name] for layer in found["layers"])
        assert 0 < found["resources"][name]["synthesised"] <= 1.1 * parts
    assert found["synthesis"]["depth"] >= max(1, alone["depth"] - 1)
    shown = capsys.readouterr().out
    assert "synthesised" in shown and "longest path, in " in shown
    depth = max(layer["synthesised"]["depth"] for layer in found["layers"])
    depth = max(depth, found["synthesis"]["depth"])
    assert main(["synth", str(build), "--max-depth", str(depth)]) == 0
    assert main(["synth", str(build), "--max-depth", str(depth - 1)]) == 1
    limit = f"which does not meet --max-depth {depth - 1}"
    assert limit in capsys.readouterr().err.replace("\n", " ")
    monkeypatch.setattr(yosys.tools, "run", None)  # what was done is not done again
    assert main(["synth", str(build)]) == 0
    assert facts(build) == found


def test_a_stage_that_is_not_there(build, capsys):
    assert main(["synth", str(build), "--kernel", "mvu_9"]) == 2
    assert "synth: there is no stage 'mvu_9'; the stages are" in capsys.readouterr().err


def test_yosys_missing(build, monkeypatch, capsys):
    def missing(name):
        raise yosys.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(yosys.metadata, "version", missing)
    assert main(["synth", str(build)]) == 2
    assert "synth needs the package 'pyosys', which is not installed: pip install" in (
        capsys.readouterr().err
    )


def test_ultrascale(build, tmp_path, monkeypatch):
    from bonn_hw.synth.run import family

    assert family("xczu3eg-sbva484-1-i") == "xcup" and family("xc7z020clg400-1") == "xc7"
    job = yosys.Job((build / "rtl").resolve(), "xcup", ("mvu_0",), TOP)
    assert yosys.synthesise(job)["mvu_0"].ff > 0


def test_a_design_has_one_entry_in_the_cache_under_all_names(build, tmp_path):
    known = yosys.Job(build / "rtl", "xc7", top=TOP)
    other = shutil.copytree(build / "rtl", tmp_path / "rtl")
    text = (other / f"{TOP}.v").read_text()
    (other / "mine.v").write_text(text.replace(TOP, "mine"))
    (other / f"{TOP}.v").unlink()
    job = yosys.Job(other, "xc7", top="mine")
    assert "hierarchy -top mine" in job.script and job.key == known.key
    image = other / "mem/mvu_0_weights.hex"
    image.write_text(image.read_text() + "0\n")
    assert job.key != known.key
