# SPDX-License-Identifier: BSD-3-Clause
"""The published schema is the one of the types, and says the same as the decoder."""

import json

import pytest
from jsonschema import Draft202012Validator, ValidationError

from bonn_hw.report import schema
from bonn_hw.report.codec import encode
from bonn_hw.report.values import Report
from tests.report.test_values import FULL, PLAIN, VALUES

PUBLISHED = Draft202012Validator(json.loads(schema.FILE.read_text()))
DOCUMENTS = [value for value in VALUES if isinstance(value, schema.DOCUMENTS)]


def test_the_file_is_current():
    told = "write it anew with 'python -m bonn_hw.report.schema'"
    assert schema.FILE.read_text() == schema.text(), told


def test_it_is_a_schema():
    Draft202012Validator.check_schema(json.loads(schema.FILE.read_text()))


@pytest.mark.parametrize("value", DOCUMENTS, ids=lambda value: type(value).__name__)
def test_documents_fit(value):
    PUBLISHED.validate(encode(value))


def without(key):
    return {name: value for name, value in encode(FULL).items() if name != key}


@pytest.mark.parametrize(
    "tree",
    [
        encode(PLAIN) | {"colour": 1},
        encode(PLAIN) | {"schema": 2},
        without("schema"),
        without("layers"),
        without("mismatches"),  # of a comparison all keys or none
        encode(PLAIN) | {"notes": [1]},
        encode(PLAIN) | {"boards": {"b": "yes"}},
        encode(PLAIN) | {"cycles_per_frame": {"predicted": 1.5, "simulated": None}},
    ],
    ids=range(8),
)
def test_other_documents_do_not(tree):
    with pytest.raises(ValidationError):
        Draft202012Validator(schema.schema(Report)).validate(tree)
