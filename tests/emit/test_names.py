# SPDX-License-Identifier: BSD-3-Clause
from pathlib import Path

import pytest

from bonn_hw.cli.main import main
from bonn_hw.emit.names import check_top, default_top
from bonn_hw.errors import UserError


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("digits.onnx", "digits_top"),
        ("a/My Net-v2.qonnx.onnx", "my_net_v2_qonnx_top"),
        ("runs/table/model.onnx", "table_top"),
        ("3x3.onnx", "net_3x3_top"),
        ("bonn_mvu.onnx", "net_bonn_mvu_top"),
        ("__.onnx", "network_top"),
        (f"{'deep_' * 20}.onnx", f"{'deep_' * 8}top"),
    ],
)
def test_the_default_comes_from_the_file_and_is_a_name(model, name):
    assert default_top(Path(model)) == name
    assert check_top(name) == name


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("2d", "cannot be the name of a module: take up to 64 letters, digits and single _"),
        ("a__b", "cannot be the name of a module"),
        ("a_", "a letter first and no _ last"),
        ("a; shell x", "cannot be the name of a module"),
        ("a" * 65, "cannot be the name of a module"),
        (
            "always_ff",
            "--top always_ff: this is a keyword of SystemVerilog: add a word, always_ff_top",
        ),
        ("table", "this is a keyword"),
        ("top", "--top top: this is its name in a bitstream: add a word, my_top"),
        ("bonn_mvu", "names that begin with bonn_ are those of the kernels"),
    ],
)
def test_names_that_no_module_can_have(name, told):
    with pytest.raises(UserError) as caught:
        check_top(name)
    assert told in str(caught.value)


def test_the_longest_name():
    assert check_top("a" * 64) == "a" * 64


def test_the_command_refuses_them_before_it_reads_anything(tmp_path, capsys):
    command = ["compile", str(tmp_path / "no.onnx"), "--fps", "9", "--out", str(tmp_path / "b")]
    assert main([*command, "--top", "module"]) == 2
    assert "--top module: this is a keyword of SystemVerilog" in capsys.readouterr().err
    assert not (tmp_path / "b").exists()
