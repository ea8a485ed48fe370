# SPDX-License-Identifier: BSD-3-Clause
import pytest

from bonn_hw.errors import UserError
from bonn_hw.ir.design import Folding
from bonn_hw.passes.folding_file import read_foldings

FORM = 'write {"mvu_0": {"PE": 16, "SIMD": 3}, ...}'


def test_pe_may_be_left_out(tmp_path):
    path = tmp_path / "f.json"
    path.write_text('{"mvu_0": {"PE": 4, "SIMD": 3}, "pad_0": {"SIMD": 2}}')
    assert read_foldings(path) == {"mvu_0": Folding(4, 3), "pad_0": Folding(2, 2)}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[1]", f"holds no object: {FORM}"),
        ('{"mvu_0": 3}', f": mvu_0 has 3: {FORM}"),
        ('{"mvu_0": {"PE": 2}}', f": mvu_0 has {{'PE': 2}}: {FORM}"),
        (
            '{"mvu_0": {"PE": true, "SIMD": 1}}',
            ": mvu_0 has {'PE': True, 'SIMD': 1}: PE and SIMD are positive integers",
        ),
        ("{", "is not JSON: Expecting property name"),
    ],
)
def test_other_contents_are_refused(text, message, tmp_path):
    path = tmp_path / "f.json"
    path.write_text(text)
    with pytest.raises(UserError) as error:
        read_foldings(path)
    assert str(error.value).startswith(f"folding file {path}")
    assert message in str(error.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UserError, match=r"folding file .*no\.json cannot be read: No such file"):
        read_foldings(tmp_path / "no.json")
