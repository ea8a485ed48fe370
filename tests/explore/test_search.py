# SPDX-License-Identifier: BSD-3-Clause
"""The search with stand-ins for trainings: what is trained, for how long, and what is told."""

import json
import shutil
from dataclasses import replace

import pytest

pytestmark = pytest.mark.torch
pytest.importorskip("torch")
pytest.importorskip("brevitas")
pytest.importorskip("optuna")

from bonn_hw.errors import UserError
from bonn_hw.explore import result
from bonn_hw.explore.search import SearchRun, last_stage, train_seeds
from bonn_hw.explore.space_file import parse_space
from bonn_hw.explore.study import Study
from bonn_hw.explore.zoo_points import ZooPoint
from bonn_hw.nn.training.experiment import Experiment
from tests.explore.test_space_file import TEXT
from tests.support.trainings import Fake

SPACE = parse_space(TEXT.replace("trials = 4", "trials = 7"), "space.toml")


def accuracy(job):
    """Wider networks, and longer trainings, are better."""
    experiment = Experiment.parse(job.experiment, "job")
    width = sum(experiment.options["convs"])
    return 0.5 + width / 100 + experiment.epochs / 1000 + experiment.lr / 100


def search(folder, space=SPACE, train=accuracy, count=1, storage="sqlite:///:memory:"):
    study, crew = Study(space, folder, storage), Fake(train, count)
    SearchRun(space, study, folder, crew).run()
    return study, crew


def choices(study):
    return [(one.candidate.key, one.stages, one.cost) for one in study.records()]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("search")
    return folder, *search(folder, storage=None)


def test_halving(whole):
    folder, study, crew = whole
    records = study.records()
    assert len(records) == 7
    assert all(one.finished for one in records)
    assert len({one.candidate.key for one in records}) == 7  # nothing is trained twice
    longer = [one for one in records if len(one.stages) == 2]
    assert 1 <= len(longer) < 5
    experiments = [Experiment.parse(job.experiment, "job") for job in crew.jobs]
    assert sorted({e.epochs for e in experiments}) == [1, 3]
    assert len(experiments) == 7 + len(longer)
    second = next(job for job in crew.jobs if job.folder.endswith("stage1"))
    parsed = Experiment.parse(second.experiment, "job")
    assert parsed.init == second.folder.replace("stage1", "stage0")
    assert (parsed.epochs, parsed.test_every, parsed.held_out) == (3, 3, 100)
    assert second.folder.startswith(str(folder / "trials"))


def test_what_does_not_fit_is_not_trained(whole):
    _, study, crew = whole
    counts = study.counts()
    assert counts.excluded > 0  # a pool behind a second convolution that is not there
    assert counts.trained == len({job.folder.rsplit("/", 1)[0] for job in crew.jobs}) == 7


def test_an_interrupted_search_ends_like_a_whole_one(whole, tmp_path):
    left = 4

    def once(job):
        nonlocal left
        left -= 1
        if left == 0:
            raise KeyboardInterrupt
        return accuracy(job)

    with pytest.raises(KeyboardInterrupt):
        search(tmp_path, train=once, storage=None)
    study, crew = search(tmp_path, storage=None)
    assert choices(study) == choices(whole[1])
    assert len(crew.jobs) == len(whole[2].jobs) - 3


def test_a_search_that_is_over_trains_nothing(whole, tmp_path):
    study, folder = whole[1], tmp_path / "copy"
    shutil.copytree(whole[0], folder)
    before = choices(study)
    again, crew = search(folder, storage=None)
    assert (choices(again), crew.jobs) == (before, [])
    more = replace(SPACE, search=replace(SPACE.search, trials=8))
    assert len(search(folder, more, storage=None)[0].records()) == 8


def test_a_folder_of_another_space(whole):
    other = replace(SPACE, goal=replace(SPACE.goal, fps=1.0))
    with pytest.raises(UserError, match=r"its study is of another space than the one given; name"):
        Study(other, whole[0], None)


def test_a_storage_that_cannot_be_opened(tmp_path):
    with pytest.raises(UserError, match=r"the study nosql://x cannot be opened \(.*; give a --sto"):
        Study(SPACE, tmp_path, "nosql://x")


def test_hours(tmp_path):
    space = replace(SPACE, search=replace(SPACE.search, trials=None, hours=0.025, stages=1))
    assert len(search(tmp_path, space)[0].records()) == 3  # of 36 seconds, 90 in all


@pytest.mark.parametrize("sampler", ["tpe"])
def test_a_small_space_is_exhausted(sampler, tmp_path):
    """Each of 2 networks is trained once with each of 2 rates, then nothing is left."""
    text = TEXT.replace("length = [1, 2]", "length = [1]").replace("[[1], [2]]", "[[1]]")
    text = text.replace("trials = 4", f'trials = 100\nsampler = "{sampler}"')
    study, crew = search(tmp_path, parse_space(text.replace("stages = 2", "stages = 1"), "s"))
    assert len(study.records()) == len(crew.jobs) == 4
    assert study.counts().failed == study.counts().excluded == 0
    assert len(result.result_of(SPACE, study).points) == 2


def test_equal_hardware_is_trained_once_with_each_recipe(tmp_path):
    """Kernels [3] and [3, 3] are the same network; another rate is another recipe."""
    text = TEXT.replace("length = [1, 2]", "length = [2]").replace("each = [4, 8]", "each = [4]")
    text = text.replace("[[1], [2]]", "[[1]]").replace("stages = 2", "stages = 1")
    text = text.replace("trials = 4", 'trials = 100\nsampler = "random"')
    text = text.replace("hidden = []", "hidden = []\nkernels = { choose = [[3], [3, 3], [5, 3]] }")
    space = parse_space(text, "s")
    assert space.size == 6
    study, crew = search(tmp_path, space)
    records = [one.candidate for one in study.records()]
    trained = [(one.options["kernels"][0], one.tables["training"]["lr"]) for one in records]
    assert sorted(trained) == [(3, 0.01), (3, 0.03), (5, 0.01), (5, 0.03)]
    assert len(crew.jobs) == 4
    assert study.counts().repeated > 0


def test_a_lost_worker_loses_one_candidate(tmp_path):
    lost = []

    def train(job):
        if not lost:
            lost.append(job)
            raise OSError("gone")
        return accuracy(job)

    space = replace(SPACE, search=replace(SPACE.search, trials=2))
    study, _ = search(tmp_path, space, train)
    assert study.counts().failed == 1
    assert len(study.records()) == 2  # another one is chosen for it


def test_trainings_that_all_fail(tmp_path):
    def wrong(job):
        raise UserError("the loss is nan")

    with pytest.raises(UserError, match=r"explore: the first 3 trainings failed: the loss is nan"):
        search(tmp_path, train=wrong)


def test_the_result(whole, tmp_path):
    _, study, _ = whole
    space = replace(SPACE, search=replace(SPACE.search, seeds=3))
    crew = Fake(lambda job: accuracy(job) + 0.001 * Experiment.parse(job.experiment, "j").seed)
    train_seeds(space, study, tmp_path, crew)
    assert train_seeds(space, study, tmp_path, Fake(None)) == study.seeded()  # trained once
    found = result.result_of(space, study)
    best = last_stage(study.records())
    assert found.points[-1].number == max(best, key=lambda one: one.accuracy).number
    assert [len(one.accuracies) for one in found.points] == [3] * len(found.points)
    assert found.points[0].spread == pytest.approx(0.001)
    assert 0 < found.hypervolume < 1
    rival = ZooPoint("tiny", 0.25, 900.5)
    result.write(replace(found, zoo=(rival,)), study, tmp_path)
    written = json.loads((tmp_path / "front.json").read_text())
    assert [one["point"] for one in written["points"]] == list(range(1, len(found.points) + 1))
    assert written["candidates"]["trained"] == 7
    point = Experiment.read(tmp_path / "points" / "1" / "experiment.toml")
    assert (point.held_out, point.test_every, point.epochs, point.init) == (0, 3, 3, None)
    assert list(point.options["convs"]) == found.points[0].candidate.options["convs"]
    folding = json.loads((tmp_path / "points" / "1" / "folding.json").read_text())
    assert folding["mvu_0"].keys() == {"PE", "SIMD"}
    assert (tmp_path / "candidates.csv").read_text().count("\n") == 8
    page = (tmp_path / "explore.html").read_text()
    assert f"{len(found.points)} networks that no other candidate beats" in page
    assert page.count('class="point n1"') == len(found.points)
    assert page.count('class="point n2"') == page.count("zoo: tiny") == 1
    assert "25.00% at 900 LUT" in page
    assert written["zoo"] == [{"name": "tiny", "accuracy": 0.25, "cost": 900.5}]
    assert "<script" not in page
