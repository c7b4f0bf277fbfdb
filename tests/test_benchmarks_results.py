"""What is kept of benchmarks: results.json, and the page and the picture made of it."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest
from markdown_helpers import Shown

from benchmarks import NAMES, growth, machine, results
from benchmarks.report import Goal, Growth, Report

PAGE = "RESULTS.md"
PEERS = ("mlflow", "aim", "sacred", "dvclive", "torchdata", "pandas")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(results, "FOLDER", tmp_path)
    return tmp_path


def report(title: str, seconds: float = 1.0, where: str = "a machine") -> Report:
    values = {"ours, 10": [seconds, seconds], "ours, 100": [seconds * 9, seconds * 11]}
    grown = Growth("ours", "runs", {10: "ours, 10", 100: "ours, 100"})
    goals = [Goal("ours, 100", "ours, 10", 10), Goal("ours, 10", "theirs", 1)]
    return Report(title, values, goals, ["theirs"], "s", [grown], "Why.", 0.2, where, "2026-11-23")


def test_one_benchmark_is_kept_beside_the_others(folder):
    results.keep("meter", report("Meter"))
    results.keep("rnd", report("Random"))
    results.keep("meter", report("Meter", 0.002))
    kept = results.kept()
    assert kept == {"meter": report("Meter", 0.002), "rnd": report("Random")}
    page = Shown((folder / PAGE).read_text("utf-8"))
    assert page.headings == ["Benchmarks", "Meter", "Random"]
    assert ["ours, 10", "2 ms", "2 ms", "2 ms"] in page.rows("Meter")
    assert ["ours, 10", "1 s", "1 s", "1 s"] in page.rows("Random")


def test_the_page_begins_with_a_line_for_each_benchmark(folder):
    results.keep("meter", report("Meter"))
    results.keep("rnd", report("Random", where="another machine"))
    text = (folder / PAGE).read_text("utf-8")
    page = Shown(text)
    assert page.rows("Benchmarks") == [
        ["Meter", "1", "0", "1", "2", "20%", "2026-11-23", "1"],
        ["Random", "1", "0", "1", "2", "20%", "2026-11-23", "2"],
    ]
    assert "Machine 1: a machine." in page.paragraphs
    assert "Machine 2: another machine." in page.paragraphs
    assert page.pictures == ["growth.svg"]


def test_the_page_of_the_project_is_that_of_what_was_measured_of_every_question():
    there = Path(__file__).parents[1] / "benchmarks"
    kept = results.kept()
    assert {*kept} == {*NAMES}
    assert results.page([kept[name] for name in sorted(kept)]) == (there / PAGE).read_text("utf-8")


def test_the_same_figures_are_the_same_bytes(folder):
    results.keep("meter", report("Meter"))
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert {*before} == {"results.json", PAGE, "growth.svg"}
    for path in folder.iterdir():
        path.unlink()
    results.keep("meter", report("Meter"))
    assert before == {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_benchmark_that_is_there_no_more_is_forgotten(folder):
    results.keep("meter", report("Meter"))
    path = folder / "results.json"
    told = json.loads(path.read_text("utf-8"))
    path.write_text(json.dumps({**told, "metre": told["meter"]}), "utf-8")
    assert [*results.kept()] == ["meter"]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda text: text[: len(text) // 2],
        lambda text: text.replace('"values"', '"value"'),
        lambda text: text.replace('"goals": [', '"goals": [1, '),
        lambda text: text.replace("1.0", '"one"'),
        lambda text: "[]",
        lambda text: '{"meter": 1}',
        lambda text: "\udc80\0",
    ],
)
def test_what_was_spoilt_is_refused_in_a_line_that_says_how_to_begin_anew(folder, spoil):
    results.keep("meter", report("Meter"))
    path = folder / "results.json"
    text = path.read_text("utf-8")
    path.write_bytes(spoil(text).encode("utf-8", "surrogateescape"))
    spoilt = path.read_bytes()
    assert spoilt.decode("utf-8", "surrogateescape") != text
    with pytest.raises(results.SpoiltError, match="delete it") as refused:
        results.keep("rnd", report("Random"))
    assert str(path) in str(refused.value)
    assert len(str(refused.value).splitlines()) == 1
    assert path.read_bytes() == spoilt


def panels(reports: list[Report]) -> int:
    picture = growth.drawn(reports)
    assert picture == growth.drawn(reports)
    groups = ElementTree.fromstring(picture).iter("{http://www.w3.org/2000/svg}g")
    return len([each for each in groups if each.get("id", "").startswith("axes_")])


@pytest.mark.parametrize("count", [0, 1, 5])
def test_each_benchmark_has_a_panel_and_a_single_size_none(count):
    alone = report("Alone")
    alone.growths = [Growth("a single size", "runs", {10: "ours, 10", 20: "theirs"})]
    assert panels([report(f"Title {number}") for number in range(count)] + [alone]) == count


def test_what_grows_by_the_same_is_drawn_in_one_panel():
    one = report("Title")
    cases = one.growths[0].cases
    one.growths += [Growth("theirs", "runs", cases), Growth("ours", "values", cases)]
    assert panels([one]) == 2
    assert "<!-- theirs -->" in growth.drawn([one])


def test_where_names_the_machine_and_every_peer():
    said = machine.where()
    for name in ("CPUs", "Python 3.", "torch 2.", "thexp 1.1.10", *PEERS):
        assert name in said or f"{name.split()[0]} absent" in said
