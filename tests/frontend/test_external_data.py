# SPDX-License-Identifier: BSD-3-Clause
"""Weights in other files: of one folder that the user names, and of no other place."""

import os

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from bonn_hw import frontend
from bonn_hw.errors import UserError
from tests.support.sketch import Sketch


def network():
    return Sketch(6, seed=4).quant(4).dense(6, 5, "fc1").norm(5).sign().dense(5, 3, "fc2")


@pytest.fixture
def split(tmp_path):
    """A model and its weights in two folders; returns the model, the folder, and its tensors."""
    (tmp_path / "weights").mkdir()
    proto, tensors = network().proto(), {}
    for tensor in proto.graph.initializer:
        if len(tensor.dims) == 2:
            move(tensor, tmp_path / "weights", f"{tensor.name}.bin")
            tensors[tensor.name] = tensor
    return proto, tmp_path / "weights", tensors


def move(tensor, folder, name, offset=0):
    content = numpy_helper.to_array(tensor).tobytes()
    (folder / name).write_bytes(bytes(offset) + content)
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    place(tensor, name, offset, len(content))


def place(tensor, location, offset=0, length=None):
    del tensor.external_data[:]
    tensor.external_data.add(key="location", value=str(location))
    tensor.external_data.add(key="offset", value=str(offset))
    if length is not None:
        tensor.external_data.add(key="length", value=str(length))


def write(proto, folder):
    path = folder.parent / "model.onnx"
    path.write_bytes(proto.SerializeToString())
    return path


def refusal(proto, folder, allowed):
    with pytest.raises(UserError) as error:
        frontend.read(write(proto, folder), external_data=allowed)
    return str(error.value)


@pytest.mark.parametrize("inside", ["", "deeper/"])
def test_the_model_is_the_same(inside, split, tmp_path):
    proto, folder, tensors = split
    if inside:
        (folder / inside).mkdir()
        for name, tensor in tensors.items():
            (folder / f"{name}.bin").rename(folder / inside / f"{name}.bin")
            place(tensor, f"{inside}{name}.bin")
    expected = frontend.read(network().write(tmp_path))
    ours = frontend.read(write(proto, folder), external_data=folder)
    assert ours.constants.keys() == expected.constants.keys()
    frames = network().images()
    np.testing.assert_array_equal(
        frontend.lower(ours).reference.run(frames), frontend.lower(expected).reference.run(frames)
    )


def test_what_onnx_writes(tmp_path):
    path, proto = tmp_path / "model.onnx", network().proto()
    given = {"location": "all.data", "size_threshold": 0, "all_tensors_to_one_file": True}
    onnx.save(proto, path, save_as_external_data=True, **given)
    frontend.lower(frontend.read(path, external_data=tmp_path))


def test_one_file_of_it(split):
    proto, folder, _ = split
    content = frontend.read_proto(write(proto, folder), folder)[1]
    whole = folder.parent / "whole.onnx"
    whole.write_bytes(content)
    digest = frontend.read(write(proto, folder), external_data=folder).sha256
    assert frontend.read(whole).sha256 == digest


def test_without_a_folder_nothing_is_read(split):
    proto, folder, _ = split
    path = write(proto, folder)
    assert refusal(proto, folder, None) == (
        f"model {path} keeps 'c3' in another file: allow its folder to be read with "
        "--external-data FOLDER, or save the model as one file"
    )


def test_everywhere_in_a_model(split):
    _, folder, _ = split
    hidden = numpy_helper.from_array(np.ones((2, 2), np.float32), "hidden")
    move(hidden, folder, "hidden.bin")
    inner = helper.make_graph([], "inner", [], [], [hidden])
    sparse = helper.make_sparse_tensor(hidden, hidden, [2, 2])
    attributes = {
        "value": hidden,
        "several": [hidden],
        "then_branch": inner,
        "all": [inner],
        "sparse_value": sparse,
        "sparse": [sparse],
    }
    for name, value in attributes.items():
        alone = network().proto()
        alone.graph.node.append(helper.make_node("Constant", [], ["unused"], **{name: value}))
        assert "keeps 'hidden' in another file" in refusal(alone, folder, None), name
    alone = network().proto()
    alone.graph.sparse_initializer.append(sparse)
    assert "keeps 'hidden' as a sparse tensor" in refusal(alone, folder, None)


@pytest.mark.parametrize("location", ["../secret.bin", "link.bin", "deeper/../../secret.bin"])
def test_no_other_place_is_read(location, split):
    proto, folder, tensors = split
    secret = folder.parent / "secret.bin"
    secret.write_bytes(bytes(1000))
    (folder / "link.bin").symlink_to(secret)
    (folder / "deeper").mkdir()
    place(tensors["c3"], location)
    assert f"'c3' is in {location!r}, which is not inside {folder}" in refusal(
        proto, folder, folder
    )
    place(tensors["c3"], secret)
    assert "which is not inside" in refusal(proto, folder, folder)


def test_no_pipe_or_folder_is_read(split):
    proto, folder, tensors = split
    os.mkfifo(folder / "pipe")
    place(tensors["c3"], "pipe")
    assert "pipe is not a regular file" in refusal(proto, folder, folder)
    for location in ("", "."):
        place(tensors["c3"], location)
        assert "cannot be read" in refusal(proto, folder, folder)


@pytest.mark.parametrize(
    ("entries", "text"),
    [
        (("none.bin",), "the file 'none.bin' of 'c3' cannot be read in"),
        (("a\0b",), "of 'c3' cannot be read in"),
        (("c3.bin", 4), "c3.bin ends before 'c3' does: save it again"),
        (("c3.bin", 1 << 80), "of 'c3' cannot be read in"),
        (("c3.bin", -1), "'c3' has 120 bytes at -1 of its file, and its shape needs 120"),
        (("c3.bin", 0, 119), "'c3' has 119 bytes at 0 of its file, and its shape needs 120"),
        (("c3.bin", "x"), "'c3' has no valid place in its file"),
    ],
)
def test_damaged_places(entries, text, split):
    proto, folder, tensors = split
    place(tensors["c3"], *entries)
    assert text in refusal(proto, folder, folder)


@pytest.mark.parametrize(
    ("dims", "kind", "text"),
    [
        ([1 << 20, 1 << 20], TensorProto.FLOAT, "have more than 2147483648 bytes"),
        ([6, -5], TensorProto.FLOAT, "has no fixed size"),
        ([6, 5], TensorProto.STRING, "has no fixed size"),
        ([6, 5], 99, "has an unknown type 99"),
    ],
)
def test_shapes_and_types(dims, kind, text, split):
    proto, folder, tensors = split
    tensors["c3"].dims[:] = dims
    tensors["c3"].data_type = kind
    assert text in refusal(proto, folder, folder)


def test_a_folder_that_is_none(split):
    proto, folder, _ = split
    assert refusal(proto, folder, folder / "c3.bin") == (
        f"--external-data: there is no folder {folder / 'c3.bin'}"
    )
