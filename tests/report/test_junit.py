# SPDX-License-Identifier: BSD-3-Clause
from xml.etree import ElementTree

from bonn_hw.report.junit import to_junit
from bonn_hw.report.verdicts import State, Verdict

VERDICTS = (
    Verdict("equal", State.PASSED, "20 frames equal"),
    Verdict("LUT", State.FAILED, 'layer <"a&b"\x07>: too many'),
    Verdict("cycles", State.NOTED, "1 more"),
)


def test_one_case_for_each_verdict():
    root = ElementTree.fromstring(to_junit("bonn-hw simulate", "build/[x]", VERDICTS, 1.25))
    (suite,) = root
    assert (root.tag, suite.tag) == ("testsuites", "testsuite")
    counts = {"tests": "3", "failures": "1", "errors": "0", "skipped": "1", "time": "1.250"}
    assert suite.attrib == {"name": "bonn-hw simulate", **counts} and root.attrib == counts
    assert [case.get("name") for case in suite] == ["equal", "LUT", "cycles"]
    assert {case.get("classname") for case in suite} == {"build/[x]"}
    (passed,), (failed,), (noted,) = suite
    assert (passed.tag, passed.text) == ("system-out", "20 frames equal")
    assert failed.tag == "failure"
    assert failed.get("message") == 'layer <"a&b"\N{REPLACEMENT CHARACTER}>: too many'
    assert (noted.tag, noted.get("message")) == ("skipped", "not judged: 1 more")
