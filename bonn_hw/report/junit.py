# SPDX-License-Identifier: BSD-3-Clause
"""Verdicts as a JUnit file, which CI systems show as test cases."""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree import ElementTree

from bonn_hw.report.verdicts import State, Verdict


def to_junit(suite: str, subject: str, verdicts: Sequence[Verdict], seconds: float) -> str:
    """The XML text: one suite, one case for each verdict.

    Parameters
    ----------
    suite
        Name of the suite, such as ``bonn-hw simulate``.
    subject
        Class name of the cases: what was judged, such as the name of a build.
    seconds
        Time that the command took.
    """
    counts = {
        "tests": str(len(verdicts)),
        "failures": str(sum(one.failed for one in verdicts)),
        "errors": "0",
        "skipped": str(sum(one.state is State.NOTED for one in verdicts)),
        "time": f"{seconds:.3f}",
    }
    root = ElementTree.Element("testsuites", counts)
    made = ElementTree.SubElement(root, "testsuite", {"name": suite, **counts})
    for one in verdicts:
        case = ElementTree.SubElement(
            made, "testcase", {"classname": _printable(subject), "name": one.name, "time": "0"}
        )
        text = _printable(one.text)
        if one.failed:
            ElementTree.SubElement(case, "failure", {"message": text})
        elif one.state is State.NOTED:
            ElementTree.SubElement(case, "skipped", {"message": f"not judged: {text}"})
        else:
            ElementTree.SubElement(case, "system-out").text = text
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _printable(text: str) -> str:
    """Without control characters, which XML cannot hold: names of layers are users' texts."""
    return "".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in text)
