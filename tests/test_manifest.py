# SPDX-License-Identifier: BSD-3-Clause
"""The manifest of a build shows damage, and simulate compiles no RTL of unknown origin."""

import json
import shutil

import numpy as np
import pytest

from bonn_hw import manifest, pipeline, verification
from bonn_hw.boards import board
from bonn_hw.emit.stored import verified
from bonn_hw.errors import UserError
from bonn_hw.ir.target import Target
from tests.support.sketch import Sketch

REMEDY = "compile the model again, or use the folder as it is with --trust"


@pytest.fixture(scope="module")
def seed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("seed")
    sketch = Sketch(6).quant(4, scale=0.25).few_bit_dense(6, 5, "fc1").norm(5, 1).sign()
    model = sketch.dense(5, 3, "last").write(folder)
    target = Target(board("pynq-z2"), 100.0, 1000.0)
    pipeline.compile_model(model, target, folder / "build", top="seed_top")
    return folder / "build"


@pytest.fixture
def build(seed, tmp_path):
    return shutil.copytree(seed, tmp_path / "build")


def refusal(build, trust=False):
    with pytest.raises(UserError) as error:
        pipeline.Build.load(build, trust)
    return str(error.value)


def test_every_file_that_is_only_read_is_in_the_manifest(build):
    listed = json.loads((build / manifest.NAME).read_text())["files"]
    there = {path.relative_to(build).as_posix() for path in build.rglob("*") if path.is_file()}
    changing = {name for name in there if name.split("/")[0] in manifest.CHANGING}
    assert set(listed) == there - changing - {manifest.NAME}
    assert pipeline.Build.load(build).trusted is False


@pytest.mark.parametrize("name", ["design.json", "design.npz", "host/host.json", "rtl/seed_top.v"])
def test_a_changed_file_is_named(build, name):
    content = bytearray((build / name).read_bytes())
    content[-20] ^= 1
    (build / name).write_bytes(content)
    assert refusal(build) == (
        f"{build / name} was damaged or changed after the build was made (see manifest.json): "
        f"{REMEDY}"
    )


def test_a_missing_file_is_named(build):
    (build / "host" / "host.npz").unlink()
    assert refusal(build) == f"{build} lacks host/host.npz: {REMEDY}"


def test_a_build_without_a_manifest(build):
    (build / manifest.NAME).unlink()
    assert refusal(build) == (
        f"{build} has no manifest.json: it is from an earlier version, or incomplete: {REMEDY}"
    )
    assert pipeline.Build.load(build, trust=True).trusted


@pytest.mark.parametrize("text", ["", "[]", '{"files": 3}', "[" * 100_000])
def test_a_damaged_manifest(build, text):
    (build / manifest.NAME).write_text(text)
    assert refusal(build) == f"{build / manifest.NAME} is damaged: {REMEDY}"


@pytest.mark.parametrize("name", ["/etc/passwd", "../secret", "rtl/../../x"])
def test_names_outside_the_build_are_refused(build, name):
    (build / manifest.NAME).write_text(json.dumps({"files": {name: ""}}))
    assert refusal(build) == f"{build / manifest.NAME} lists {name!r}, outside the build: {REMEDY}"


@pytest.mark.parametrize("name", ["design.npz", "host/host.json", "host/host.npz"])
def test_a_damaged_file_of_a_trusted_build_gets_one_message(build, name):
    (build / name).write_bytes((build / name).read_bytes()[:30])
    assert refusal(build, trust=True).endswith("compile the model again")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (
            "rtl/seed_top.v",
            'module seed_top; initial $c("system(\\"touch pwned\\");"); endmodule\n',
        ),
        ("rtl/mvu.sv", 'module bonn_mvu; initial $system("touch pwned"); endmodule\n'),
        ("rtl/mem/mvu_0_weights.hex", "0\n"),
    ],
)
def test_rtl_with_code_is_not_compiled_although_the_manifest_fits(build, name, text):
    """Whoever makes a build can make its manifest; the RTL is compared with what emit gives."""
    assert (build / name).is_file()
    (build / name).write_text(text)
    manifest.write(build)
    loaded = pipeline.Build.load(build)
    with pytest.raises(UserError) as error:
        verification.simulate(loaded, np.zeros((1, 6), np.float32))
    assert str(error.value).startswith(
        f"{(build / name).resolve()} differs from the RTL that this version of bonn-hw writes for "
        "the design: it is not simulated, because RTL can contain code"
    )


def test_each_flipped_bit_of_a_memory_image_is_found_and_named(build):
    """40 of 40, before anything is simulated, also where the manifest fits the changed image."""
    random, loaded = np.random.default_rng(0), pipeline.Build.load(build)
    images = sorted((build / "rtl/mem").iterdir())
    assert len(images) > 2
    for number in range(40):
        image = images[number % len(images)]
        ours = image.read_text()
        place = random.choice([at for at, digit in enumerate(ours) if digit in "0123456789abcdef"])
        flipped = f"{int(ours[place], 16) ^ 1 << random.integers(4):x}"
        image.write_text(ours[:place] + flipped + ours[place + 1 :])
        with pytest.raises(UserError, match=rf"/{image.name} was damaged or changed"):
            manifest.check(build)
        with pytest.raises(UserError, match=rf"/{image.name} differs from the RTL that this"):
            verified(loaded.design, loaded.rtl)
        image.write_text(ours)


@pytest.mark.parametrize("name", ["x(); initial $finish; foo", "a\nb", ""])
def test_names_of_stages_cannot_become_code(build, name):
    design = json.loads((build / "design.json").read_text())
    text = json.dumps(design).replace('"mvu_0"', json.dumps(name))
    (build / "design.json").write_text(text)
    manifest.write(build)
    assert f"the name {name!r} of a stage is not an identifier".split("\n")[0] in refusal(build)


@pytest.mark.rtl
def test_a_truncated_image_of_a_trusted_build_ends_its_simulation(build):
    image = build / "rtl/mem/mvu_0_weights.hex"
    image.write_text(image.read_text()[:-3])
    loaded = pipeline.Build.load(build, trust=True)
    with pytest.raises(
        UserError, match=r"simulate: the memory image .* digits, not .*: it was trun"
    ):
        verification.simulate(loaded, loaded.random_frames(2))


@pytest.mark.parametrize("trust", [False, True])
def test_a_file_that_never_ends_is_not_read(build, trust):
    (build / "design.json").unlink()
    (build / "design.json").symlink_to("/dev/zero")
    assert "design.json is not a regular file: compile the model again" in refusal(build, trust)
