# SPDX-License-Identifier: BSD-3-Clause
"""Reports of Vivado: rows and sections that are read, and what is said where they are missing."""

from pathlib import Path

import pytest

from bonn_hw.bitstream.vivado.reports import ReportFault, read_timing, read_utilisation
from bonn_hw.ir.resources import Resources

DATA = Path(__file__).parent / "data"


@pytest.mark.parametrize(
    ("name", "used"),
    [
        ("utilization_7series", Resources(lut=3412, ff=4021, bram36=7.5, dsp=0)),
        ("utilization_ultrascale", Resources(lut=9120, ff=11034, bram36=60, dsp=2)),
        ("accelerator", Resources(lut=2510, ff=2944, bram36=7.5, dsp=0)),
    ],
)
def test_utilisation_of_both_families(name, used):
    assert read_utilisation(DATA / f"{name}.rpt") == used


def test_columns_are_found_by_their_title(tmp_path):
    """Older versions have no column for prohibited sites; a star marks counts before placement."""
    text = "| Site Type | Fixed | Used |\n| Slice LUTs* | 0 | 10 |\n| Slice Registers | 0 | 20 |\n"
    text += "| Block RAM Tile | 0 | 0.5 |\n| DSPs | 0 | 1 |\n"
    (tmp_path / "used.rpt").write_text(text)
    assert read_utilisation(tmp_path / "used.rpt") == Resources(10, 20, 0.5, 1)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("nothing", r"used.rpt: no table with the columns 'Site Type' and 'Used'"),
        ("| Site Type | Used | Fixed | Util% |\n", "used.rpt: no row 'Slice LUTs' or 'CLB LUTs'"),
    ],
)
def test_a_utilisation_report_of_another_form(tmp_path, text, message):
    (tmp_path / "used.rpt").write_text(text)
    with pytest.raises(ReportFault, match=message):
        read_utilisation(tmp_path / "used.rpt")


def test_timing_that_is_met():
    timing = read_timing(DATA / "timing_met.rpt")
    assert (timing.wns_ns, timing.whs_ns, timing.wpws_ns) == (1.274, 0.021, 3.75)
    assert timing.met and timing.failing == 0 and timing.clock_mhz == 100
    (path,) = timing.paths
    assert (path.kind, path.levels, path.delay_ns, path.requirement_ns) == ("setup", 7, 8.412, 10)
    assert path.destination == "board_i/accelerator/inst/core/conv_1/total_q_reg[9]/D"


def test_timing_that_is_missed_names_the_worst_path_first():
    timing = read_timing(DATA / "timing_missed.rpt")
    assert not timing.met and timing.failing == 97
    assert [path.kind for path in timing.paths] == ["setup", "hold"]
    assert timing.paths[0].slack_ns == -1.53
    assert timing.reached_mhz == pytest.approx(1000 / 6.53)
    assert str(timing.paths[0]).endswith("(6.389 ns of 5.000 ns, 7 logic levels, 33% in logic)")


def test_a_path_to_an_asynchronous_reset_counts_as_setup(tmp_path):
    text = (DATA / "timing_missed.rpt").read_text()
    (tmp_path / "timing.rpt").write_text(text.replace("Setup (Max", "Recovery (Max"))
    assert read_timing(tmp_path / "timing.rpt").paths[0].kind == "setup"


@pytest.mark.parametrize("column", ["WNS", "WHS", "WPWS"])
def test_each_kind_of_slack_counts(tmp_path, column):
    text = (DATA / "timing_met.rpt").read_text()
    figure = {"WNS": "1.274        0", "WHS": "0.021", "WPWS": "3.750"}[column]
    (tmp_path / "timing.rpt").write_text(text.replace(figure, f"-{figure}", 1))
    assert not read_timing(tmp_path / "timing.rpt").met


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("| Design Timing Summary", "| Other", "no section 'Design Timing Summary'"),
        ("      1.274        0.000 ", "         NA           NA ", "clock is not constrained"),
        ("clk_fpga_0  {0.000", "clk_fpga_0  (0.000", "no clock in the section 'Clock Summary'"),
    ],
)
def test_a_timing_report_of_another_form(tmp_path, old, new, message):
    text = (DATA / "timing_met.rpt").read_text()
    assert old in text
    (tmp_path / "timing.rpt").write_text(text.replace(old, new, 1))
    with pytest.raises(ReportFault, match=message):
        read_timing(tmp_path / "timing.rpt")
