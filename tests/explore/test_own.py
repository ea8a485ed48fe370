# SPDX-License-Identifier: BSD-3-Clause
"""A user's own networks and data: the page of the documentation, and what can be wrong."""

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")
pytest.importorskip("brevitas")
pytest.importorskip("optuna")

import bonn_hw
from bonn_hw.cli.main import main
from bonn_hw.errors import UserError
from bonn_hw.explore.hardware import identity
from bonn_hw.explore.listing import sample
from bonn_hw.explore.space import Candidate
from bonn_hw.explore.space_file import read_space
from bonn_hw.explore.study import Study
from bonn_hw.nn.own import data as own_data
from bonn_hw.nn.own import network as own_network
from bonn_hw.nn.own.source import OwnName
from tests.support.walk import blocks

PAGE = Path(__file__).parents[2] / "docs" / "howto" / "own_space.md"
MINE, TOML, PYTHON = (text for language, text in blocks(PAGE) if language in ("python", "toml"))
TINY = TOML.replace("trials = 6", "trials = 2").replace("stages = 2", "stages = 1")
TINY = TINY.replace("epochs = 12", 'epochs = 1\nprecision = "32"')
SPACE = OwnName("mine.py", "space")


@pytest.fixture
def place(tmp_path, monkeypatch):
    (tmp_path / "mine.py").write_text(MINE)
    (tmp_path / "space.toml").write_text(TINY)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


@pytest.mark.rtl
@pytest.mark.large  # a search and an accelerator again; a dry run of the same file runs each time
def test_the_page(place, capsys):
    """Its Python block on a small budget, then a point to RTL, then the point's own experiment."""
    names = {}
    exec(PYTHON, names)
    found = names["found"]
    study = place / "studies" / "mine"
    assert found.front.candidates.trained == 2
    assert {one.network["name"] for one in found.points} == {"mine.py:space"}
    assert all(set(one.network) >= {"width", "bits", "classes"} for one in found.points)
    (place / "mine.py").unlink()  # the copies are enough
    done = found.finish(1, 10)
    assert (done.equal, done.frames) == (True, 10)
    assert "ok  RTL and PyTorch: " in str(done)
    point = study / "points" / "1"
    copies = [study, point, point / "run", *study.glob("trials/*/*")]
    assert [(one / "mine.py").read_text() for one in copies] == [MINE] * 5
    # Another process reads the run alone, and simulates with the file's own data in it.
    assert main(["export", str(point / "run"), "--out", str(place / "again.onnx")]) == 0
    assert (place / "again.onnx").read_bytes() == (point / "model.onnx").read_bytes()
    words = ["explore", "space.toml", "--out", "studies/mine"]
    (place / "mine.py").write_text(MINE + "\n")
    assert main(words) == 2
    assert "is not the mine.py that is given; go on with the same file" in capsys.readouterr().err


def test_equal_networks_are_one_candidate(place):
    """A choice that the function does not use makes no other network; a dropout does."""
    text = MINE.replace("    return torch.nn.Sequential(\n", UNUSED)
    (place / "mine.py").write_text(text)

    def of(**options):
        table = {"name": "mine.py:space", "size": 8, "width": 4, "bits": 1, **options}
        return identity(Candidate({"network": table, "data": {"name": "digits"}}, str(place)))

    first = of(unused=1, dropout=0.1)
    assert of(unused=2, dropout=0.1) == first
    assert of(unused=1, dropout=0.2) != first  # of the training alone, and so another recipe
    assert of(unused=1, dropout=0.1, bits=2) != first


UNUSED = """    trial.suggest_int("unused", 1, 2)
    dropout = trial.suggest_float("dropout", 0.1, 0.5, step=0.1)
    return torch.nn.Sequential(
        torch.nn.Dropout(dropout),
"""


@pytest.mark.parametrize(
    ("old", "new", "error"),
    [
        ("mine.py:space", "other.py:space", "other.py cannot be read (No such file or directory)"),
        ("mine.py:space", "../mine.py:space", "must be named as it lies beside the experiment"),
        ("mine.py:space", "mine.py:spcae", "no function 'spcae' (did you mean 'space'?); define"),
        ("mine.py:data", "mine.py:dta", "mine.py has no function 'dta' (did you mean 'data'?)"),
        ("size = 8", "sise = 8", "key 'sise' of [network] is not known (did you mean 'size'?)"),
        ("size = 8", "size = { choose = [8] }", "[network] size must have one value, as the data"),
        ("size = 8", "size = [8]", "size must be a positive integer, or [height, width], not [8]"),
        ("classes = 10", "classes = 0", "classes must be a positive integer, not 0"),
    ],
)
def test_bad_names(old, new, error, place, capsys):
    (place / "space.toml").write_text(TINY.replace(old, new))
    assert main(["explore", "space.toml", "--out", "out"]) == 2
    assert error in capsys.readouterr().err
    assert not (place / "out").exists()


@pytest.mark.parametrize(
    ("old", "new", "error"),
    [
        (
            "    return torch.nn.S",
            "    torch.nn.S",
            " returns a NoneType; return a torch.nn.Mod",
        ),
        ('"width", 4', '"size", 4', "'size' cannot name a choice; use letters, digits, - and _"),
        ("[1, 2]", "[None]", "choice 'bits' has the value None; values must be texts, numbers"),
        ("[1, 2]", "[]", "choice 'bits' has no values; give at least one"),
        ("import torch\n", "import torch\nimport missing\n", "line 4: No module named 'missing'"),
        ('trial.suggest_int("width"', 'trial.width("w"', "no attribute 'width'; mend your file"),
        (
            "def space(trial):",
            "def space(trial):\n    1 / 0",
            "ZeroDivisionError, line 9: division",
        ),
        ("def space", "def def", "SyntaxError, line 8: invalid syntax; mend your file"),
    ],
)
def test_bad_functions(old, new, error, place, capsys):
    assert MINE.count(old) >= 1
    (place / "mine.py").write_text(MINE.replace(old, new, 1))
    assert main(["explore", "space.toml", "--dry-run", "--count", "1"]) == 2
    assert error in capsys.readouterr().err


def test_a_network_that_the_frontend_refuses(place, capsys):
    """Its own message, with the choices that lead to it."""
    text = MINE.replace("qnn.QuantReLU(bit_width=2)", "torch.nn.Softmax(1)").replace(
        "4, 12", "4, 4"
    )
    (place / "mine.py").write_text(text)
    assert main(["explore", "space.toml", "--dry-run", "--count", "2"]) == 2
    error = capsys.readouterr().err
    assert "space.toml: none of 2 candidates fits pynq-z2" in error
    assert "network excludes 2 (the closest: mine.py:space with width 4, bits " in error
    assert re.search(r"bits \d: .*Softmax", error)


def test_what_a_module_must_return(place):
    (place / "mine.py").write_text(MINE.replace("trial.classes", "9"))
    options = {"size": 8, "width": 4, "bits": 1}
    with pytest.raises(UserError, match=r"to \(2, 9\), not to \(2, 10\); return one value for ea"):
        own_network.build(SPACE, str(place), options)
    (place / "mine.py").write_text(MINE)
    with pytest.raises(UserError, match=r"line \d+.*mat1 and mat2|mat1 and mat2"):
        own_network.build(SPACE, str(place), {**options, "size": 12})
    with pytest.raises(UserError, match=r"width is 5, which is none of its choices \[4, 8, 12\]"):
        own_network.build(SPACE, str(place), {**options, "width": 5})
    with pytest.raises(UserError, match=r"bits is missing; give one of \[1, 2\]"):
        own_network.build(SPACE, str(place), {"size": 8, "width": 4})
    with pytest.raises(UserError, match=r"widht is no choice of this network \(did you mean 'wi"):
        own_network.build(SPACE, str(place), {**options, "widht": 4})


LOADER = """
import numpy as np
import torch

images = np.arange(12, dtype=np.float32).reshape(6, 1, 1, 2) / 16
labels = np.array([0, 1, 2, 0, 1, 2])


class Pairs(torch.utils.data.Dataset):
    def __len__(self):
        return 6

    def __getitem__(self, place):
        return torch.from_numpy(images[place]), labels[place]


def arrays(split):
    return images, labels


def samples(split):
    return Pairs()


def loader(split):
    return torch.utils.data.DataLoader(Pairs(), batch_size=4)


def pixels(split):
    return (255 * np.ones((6, 1, 1, 2))).astype(np.uint8), labels


def unlabelled(split):
    return torch.utils.data.DataLoader(torch.from_numpy(images), batch_size=4)


def none(split):
    return images, None


def floats(split):
    return images, labels / 2


def flat(split):
    return images.reshape(6, 2), labels


def number(split):
    return 7


def other(split):
    return images, labels + (split == "test")


def nan(split):
    return images * np.nan, labels


def empty(split):
    return []
"""


def test_arrays_samples_and_loaders_are_the_same_data(tmp_path):
    (tmp_path / "load.py").write_text(LOADER)
    first = own_data.read(OwnName("load.py", "arrays"), str(tmp_path), "train")
    assert first.classes == ("0", "1", "2")
    for name in ("samples", "loader"):
        other = own_data.read(OwnName("load.py", name), str(tmp_path), "test")
        assert np.array_equal(other.images, first.images)
        assert np.array_equal(other.labels, first.labels)
    assert first.transformed("none") is first  # floats enter the network as they are
    with pytest.raises(UserError, match="transform half: is for pixels, and your data are floats"):
        first.transformed("half")
    white = own_data.read(OwnName("load.py", "pixels"), str(tmp_path), "train")
    assert (white.transformed("none").images == 127 / 128).all()  # as of every data set


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("unlabelled", '("train") gives images without labels; return (images, labels), or a Data'),
        ("none", "gives images without labels; return (images, labels)"),
        ("floats", "and labels of float64 and the shape (6,); return (images, labels)"),
        ("flat", "gives images of float32 and the shape (6, 2); give uint8 pixels, or float32"),
        ("number", "returns a int; return (images, labels)"),
        ("other", "label 3 is none of the classes 0 to 2 of the training images; give both"),
        ("nan", "gives images with NaN or infinity; every value must be finite"),
        ("empty", "is empty; return (images, labels)"),
    ],
)
def test_bad_data(name, error, tmp_path):
    (tmp_path / "load.py").write_text(LOADER)
    with pytest.raises(UserError) as raised:
        own_data.read(OwnName("load.py", name), str(tmp_path), "test")
    assert error in str(raised.value)


def test_functions_that_are_in_no_file(place):
    with pytest.raises(UserError, match=r"network= is '.*<lambda>', which is not at the top"):
        bonn_hw.search("space.toml", "out", network=lambda trial: None)


def test_data_without_labels_end_a_search(place, capsys):
    (place / "mine.py").write_text(MINE.replace("digits.target[part]", "None"))
    assert main(["explore", "space.toml", "--out", "out"]) == 2
    assert 'mine.py:data("train") gives images without labels' in capsys.readouterr().err
    assert not (place / "out").exists()


def test_choices_that_change_their_values(place, capsys):
    text = MINE.replace('"bits", [1, 2]', '"bits", [1, 2] if width == 4 else [2, 1, 3]')
    (place / "mine.py").write_text(text)
    space = replace(read_space(Path("space.toml")), folder=str(place))
    study = Study(space, place, "sqlite:///:memory:")
    with pytest.raises(UserError, match=r"bits has the values [1-3, ]+, and had others in an ear"):
        for _ in range(20):
            study.ask(randomly=True)
    assert len(sample(space, 20)) == 2 + 2 * 3  # all that there are


def test_rows_of_a_dry_run(place, capsys):
    assert main(["explore", "space.toml", "--dry-run", "--count", "2", "--json", "-"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [set(one["network"]) >= {"width", "bits"} for one in rows] == [True, True]
    assert all(one["lut"] > 0 for one in rows)
