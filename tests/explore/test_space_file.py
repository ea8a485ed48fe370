# SPDX-License-Identifier: BSD-3-Clause
import random

import pytest

pytestmark = pytest.mark.torch
pytest.importorskip("torch")
pytest.importorskip("brevitas")

from bonn_hw.errors import UserError
from bonn_hw.explore.listing import (
    fold_all,
    refuse_if_none_fits,
    refuse_unless_one_fits,
    sample,
)
from bonn_hw.explore.space_file import parse_space, read_space
from bonn_hw.files import shipped
from bonn_hw.nn.training.experiment import Experiment

TEXT = """
[target]
boards = ["pynq-z2"]
fps = 100000

[search]
trials = 4
stages = 2

[network]
name = "chain"
size = 8
convs = { each = [4, 8], length = [1, 2] }
pools = { choose = [[1], [2]] }
hidden = []

[data]
name = "digits"
held_out = 100

[training]
epochs = 3
lr = { choose = [0.01, 0.03] }
"""


def test_a_space():
    space = parse_space(TEXT, "space.toml")
    assert (space.size, space.network_count) == ((2 + 4) * 2 * 2, (2 + 4) * 2)
    assert [str(one) for one in space.networks()][:3] == [
        "chain: size 8, convs 4, pools 1, hidden none",
        "chain: size 8, convs 4, pools 2, hidden none",
        "chain: size 8, convs 8, pools 1, hidden none",
    ]
    generator = random.Random(0)
    asked = []

    def pick(name, values):
        asked.append(name)
        return generator.choice(values)

    one = space.draw(pick)
    length = len(one.options["convs"])
    assert asked == [
        "network.convs.length",
        *(f"network.convs.{place}" for place in range(length)),
        "network.pools",
        "training.lr",
    ]
    experiment = Experiment.parse(one.toml(data={"held_out": 0}), "here")
    assert experiment.options["convs"] == one.options["convs"]
    assert (experiment.held_out, experiment.lr) == (0, one.tables["training"]["lr"])


def test_a_range_of_widths_holds_the_steps_of_the_folding():
    text = TEXT.replace("each = [4, 8], length", "from = 8, to = 20, length")
    widths = parse_space(text, "s").choices["network.convs"].each
    assert widths == (8, 10, 11, 12, 13, 14, 15, 16, 18, 20)


def test_the_shipped_spaces_can_be_read():
    for path in sorted(shipped("flows", "explore").glob("*.toml")):
        assert read_space(path).search.trials or read_space(path).search.hours


@pytest.mark.parametrize(
    ("old", "new", "error"),
    [
        ("[target]", "[targets]", "'targets' is not known here (did you mean 'target'?); the"),
        ("fps = ", "fpz = ", "key 'fpz' of [target] is not known (did you mean 'fps'?); choose"),
        ("fps = 100000", "", "[target] fps is missing; give a positive number"),
        ("fps = 100000", "fps = -1", "[target] fps must be a positive number, not -1"),
        ("fps = 100000", "fps = 1e9", "more than the clock of 100 MHz has cycles in a second"),
        ("fps = 100000", "fps = 100000\nlut = 0", "lut 0 leaves no LUT, and every design needs"),
        ("fps = 100000", "fps = 1\nlut = 2", "lut must be a number from 0 to 1, not 2"),
        ("fps = 100000", "fps = 1\nlatency_ms = 1e-6", "1e-06 is less than one cycle at 100 MHz"),
        ("fps = 100000", "fps = 1\nclock_mhz = 900", "clock 900 MHz is not possible: choose one"),
        ('"pynq-z2"', '"pynq"', "board 'pynq' is not known; choose one of"),
        ("trials = 4", "", "[search] has no end: give the number of trials, or the hours of"),
        ("trials = 4", 'trials = 4\nsampler = "grid"', "one of nsga2, tpe, random, not 'grid'"),
        ("stages = 2", "stages = 3", "3 epochs cannot be divided by 3 2 times; give fewer"),
        ('name = "chain"', 'name = "chein"', "'chein' is not known (did you mean 'chain'?)"),
        ('name = "chain"', "", "[network] name must be the name of one network, not None"),
        ("hidden = []", "hiden = []", "option 'hiden' is not known (did you mean 'hidden'?)"),
        ("each = [4, 8]", "each = [4, -8]", "convs must be a list of positive integers, not [-8"),
        ("each = [4, 8], ", "", "[network] convs has the keys length; write { choose = [...] }"),
        ("choose = [[1]", "chose = [[1]", "has the keys chose (did you mean 'choose'?); write {"),
        ("fps = 100000", "fps = 1\nbram36 = -1", "bram36 must be a number from 0 to 1, not -1"),
        ("fps = 100000", "fps = 1\nlatency_ms = 0", "latency_ms must be a positive number, not 0"),
        ("trials = 4", "trials = 0", "[search] trials must be a positive integer, not 0"),
        ("trials = 4", "hours = inf", "[search] hours must be a positive number, not inf"),
        ("trials = 4", "trails = 4", "key 'trails' of [search] is not known (did you mean 'tri"),
        ("stages = 2", "halving = 1", "[search] halving must be an integer above 1, not 1"),
        ('name = "digits"', 'name = "digit"', "or your own, FILE.py:FUNCTION, not 'digit'"),
        ('name = "digits"', "", "[data] name is missing; give one of digits, fashion-mnist"),
        ("epochs = 3", "", "[training] epochs is missing; give a positive integer"),
        ("each = [4, 8]", "each = [4, 8], from = 2", "has the keys each, from, length; write {"),
        ("each = [4, 8]", "each = 4", "convs: each must be a list of values, not 4"),
        ("length = [1, 2]", 'length = ["1"]', "length must be numbers of elements, not ['1']"),
        ("each = [4, 8]", "from = 8, to = 4", "convs: from 8 is above to 4; swap them"),
        ("held_out = 100", "", "[data] held_out is missing; give a positive integer; the search"),
        ("lr = {", "lrr = {", "key 'lrr' of [training] is not known (did you mean 'lr'?)"),
        ("0.01, 0.03", "0.01, 0", "[training] lr must be a positive number, not 0"),
        ("epochs = 3", "epochs = { choose = [3, 9] }", "epochs must have one value, to be"),
        ("epochs = 3", 'epochs = 3\ninit = "run"', "init is the search's own; leave it out"),
        ("[data]", "[data", "not valid TOML"),
    ],
)
def test_errors(old, new, error):
    assert TEXT.count(old) == 1
    with pytest.raises(UserError) as raised:
        parse_space(TEXT.replace(old, new), "space.toml")
    assert error in str(raised.value)


def test_a_range_of_widths_that_is_too_slow():
    text = TEXT.replace("each = [4, 8], length", "from = 60, to = 64, length")
    with pytest.raises(UserError) as raised:
        parse_space(text.replace("fps = 100000", "fps = 2e6"), "space.toml")
    assert "no width from 60 to 64 reaches 2,000,000 frames per second" in str(raised.value)


def test_a_missing_file(tmp_path):
    with pytest.raises(UserError, match=r"cannot be read \(No such file or directory\); name a"):
        read_space(tmp_path / "none.toml")


def test_a_sample_has_each_network_once():
    space = parse_space(TEXT, "s")
    assert len(sample(space, 100)) == space.network_count
    few = sample(space, 5)
    assert len({str(one) for one in few}) == 5
    assert few == sample(space, 5)


def test_a_space_without_a_fitting_point_says_what_excludes_how_many():
    space = parse_space(TEXT.replace("fps = 100000", "fps = 1000\nlut = 0.001"), "space.toml")
    listed = fold_all(space, sample(space, 100))
    with pytest.raises(UserError) as raised:
        refuse_if_none_fits(listed, space, "space.toml")
    text = str(raised.value)
    assert text.startswith(
        "space.toml: none of 12 candidates fits pynq-z2 at 1,000 frames per second: lut excludes "
        "10 (the closest: it needs "
    )
    assert "network excludes 2 (the closest: network: 1 convolutions, and pools [2])" in text
    assert text.endswith(": allow more, or offer smaller networks")
    refuse_if_none_fits(fold_all(parse_space(TEXT, "s"), sample(space, 100)), space, "s")


def test_a_search_folds_until_one_candidate_fits():
    """Here no width is both fast enough and small enough."""
    text = TEXT.replace("each = [4, 8]", "each = [4, 64]")
    space = parse_space(text.replace("fps = 100000", "fps = 400000\nlut = 0.001"), "space.toml")
    with pytest.raises(UserError) as raised:
        refuse_unless_one_fits(space, sample(space, 100), "space.toml")
    text = str(raised.value)
    assert "none of 12 candidates fits pynq-z2 at 400,000 frames per second: lut excludes " in text
    assert "(the closest: it needs " in text
    assert " LUT, and 53.2 may be used); network excludes 2 (" in text
    fitting = parse_space(TEXT, "s")
    assert refuse_unless_one_fits(fitting, sample(fitting, 100), "s") == sample(fitting, 100)[0]
