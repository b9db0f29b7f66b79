"""Charts as SVG: marks where the numbers say, gaps where numbers are missing, valid XML."""

import math
import re
from xml.etree import ElementTree

import pytest

from airside_perception.evaluation.report_charts import Axes, fraction_bar, life_line, spark_lines, stage_bars

SVG = "{http://www.w3.org/2000/svg}"


def test_points_lie_between_the_ticks_that_bracket_them():
    axes = Axes((0, 10), (0, 100), "x", "y")
    axes.points([5.0, 50.0], [50.0, 50.0], "red")
    tree = ElementTree.fromstring(axes.svg())
    ticks = {t.text: float(t.get("x")) for t in tree.iter(f"{SVG}text") if t.get("text-anchor") == "middle"}
    middle, outside = (float(c.get("cx")) for c in tree.iter(f"{SVG}circle"))
    assert ticks["4"] < middle < ticks["6"]
    assert outside == pytest.approx(ticks["10"], abs=0.1), "beyond the axis is drawn at its end"


def test_curves_break_where_values_are_missing():
    axes = Axes((0, 4), (0, 1), "x", "y")
    axes.curve([0, 1, 2, 3, 4], [0.1, 0.2, math.nan, 0.4, 0.5], "red")
    assert len(re.findall("<polyline", axes.svg())) == 2
    assert len(re.findall("<polyline", spark_lines([([0.1, 0.2, math.nan, 0.3, 0.2], "red")], 1.0))) == 2


def test_bars_of_stages_are_ordered_by_length_and_show_both_percentiles():
    svg = stage_bars({"tracking": {"p50": 5.0, "p95": 6.0}, "frame": {"p50": 100.0, "p95": 150.0}})
    assert svg.index("frame") < svg.index("tracking")
    assert "100.0 / 150.0 ms" in svg
    ElementTree.fromstring(svg)


def test_life_line_draws_one_bar_per_stretch():
    alive = [(0.0, "confirmed"), (0.1, "confirmed"), (0.2, "coasting"), (0.5, "confirmed")]
    tree = ElementTree.fromstring(life_line(alive, (0.0, 0.9), 0.1, "red", width=100))
    bars = list(tree.iter(f"{SVG}rect"))[1:]
    assert [round(float(bar.get("x"))) for bar in bars] == [0, 20, 50]
    assert [round(float(bar.get("width"))) for bar in bars] == [20, 10, 10]
    assert bars[1].get("fill-opacity") == "0.35"


def test_unknown_fractions_say_so():
    assert "not scored" in fraction_bar(None)
    assert "0.250" in fraction_bar(0.25)


def test_flat_series_do_not_divide_by_zero():
    axes = Axes((3, 3), (0, 0), "x", "y")
    axes.curve([3.0], [0.0], "red")
    ElementTree.fromstring(axes.svg())
    assert stage_bars({}) == ""
