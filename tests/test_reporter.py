"""Reporter: scalars, files and what else is told, as Markdown on disk."""

from __future__ import annotations

import csv
import math
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from markdown_helpers import shown
from PIL import Image

from thexp_pl import Reporter
from thexp_pl.errors import RecordError, UsageError

numbers = st.floats(allow_nan=True, allow_infinity=True)


def reported(reporter: Reporter, **options: Any) -> Any:
    return shown(reporter.report(**options))


def test_a_report_has_a_table_and_a_picture_of_each_scalar(tmp_path: Path) -> None:
    reporter = Reporter(tmp_path / "mine")
    for step in range(45):
        reporter.add_scalar(1 / (step + 1), step, "loss")
        reporter.add_scalar(torch.tensor(step / 100), step, "acc/top1")

    report = reported(reporter, otherinfo={"lr": 0.1, "sizes": [1, 2]})

    assert reporter.reportfile == tmp_path / "mine" / "0001" / "report.md"
    assert report.headings == ["mine", "Information", "Scalars", "loss", "acc/top1"]
    assert report.rows("Information") == [["lr", "0.1"], ["sizes", "[1, 2]"]]
    assert report.rows("loss") == [
        *(["0", "1"], ["20", "0.047619"], ["40", "0.0243902"], ["44", "0.0222222"])
    ]
    assert report.rows("acc/top1")[1] == ["20", "0.2"]
    assert report.pictures == ["loss.png", "acc-top1.png"]
    for file in report.picture_files(reporter.savedir):
        with Image.open(file) as image:
            image.verify()


def test_every_says_which_values_are_in_the_table(tmp_path: Path) -> None:
    reporter = Reporter(tmp_path)
    for step in range(10):
        reporter.add_scalar(step, step, "one")

    assert [row[0] for row in reported(reporter, every=4).rows("one")] == ["0", "4", "8", "9"]
    assert len(reported(reporter, every=1).rows("one")) == 10
    for every in (0, -1, 2.0, True):
        with pytest.raises(UsageError, match="every must be 1 or more, not"):
            reporter.report(every=every)  # type: ignore[arg-type]


def test_what_is_not_finite_is_shown_as_such_and_leaves_a_gap(tmp_path: Path) -> None:
    reporter = Reporter(tmp_path)
    for step, value in enumerate([1.0, math.nan, math.inf, -math.inf, 1e308, -1e308, 2.0]):
        reporter.add_scalar(value, step, "odd")
    reporter.add_scalar(math.nan, 0, "never")

    report = reported(reporter, every=1)

    assert [row[1] for row in report.rows("odd")] == [
        *("1", "nan", "inf", "-inf", "1e+308", "-1e+308", "2")
    ]
    assert "7 values; 3 not finite." in report.paragraphs
    assert report.pictures == ["odd.png"]  # an empty one would tell nothing


def test_a_second_report_has_what_was_added_since(tmp_path: Path) -> None:
    reporter = Reporter(tmp_path)
    reporter.add_scalar(1, 0, "loss")
    first = reporter.report()
    before = (reporter.savedir / "loss.png").read_bytes()
    reporter.add_scalar(5, 1, "loss")
    reporter.add_scalar(2, 0, "other")

    report = reported(reporter, every=1)

    assert reporter.reportfile == first
    assert report.rows("loss") == [["0", "1"], ["1", "5"]]
    assert report.headings[-2:] == ["loss", "other"]
    assert (reporter.savedir / "loss.png").read_bytes() != before


def test_a_report_of_nothing_is_a_title(tmp_path: Path) -> None:
    report = reported(Reporter(tmp_path / "empty"))

    assert report.headings == ["empty"]
    assert "image" not in report.kinds


def test_savefig_without_a_figure_draws_the_scalars_and_savearr_keeps_them_all(
    tmp_path: Path,
) -> None:
    reporter = Reporter(tmp_path)
    for step in range(300):
        reporter.add_scalar(step / 7, step, 'a,"b"')
    assert [path.suffix for path in reporter.savefig().iterdir()] == [".png"]

    path = reporter.savearr()
    reporter.add_scalar(math.nan, 300, 'a,"b"')
    report = reported(reporter)

    assert report.links == ["scalars.csv"]
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [float(row["value"]) for row in rows[:300]] == [step / 7 for step in range(300)]
    assert (rows[300]["tag"], rows[300]["step"], rows[300]["value"]) == ('a,"b"', "300", "nan")


def test_tagged_files_are_linked_where_they_lie_beside_and_named_elsewhere(tmp_path: Path) -> None:
    inside = tmp_path / "here" / "a (b).txt"
    inside.parent.mkdir()
    inside.write_text("12345")
    reporter = Reporter(tmp_path / "here")
    reporter.add_ftag(inside, "inner | one")
    reporter.add_ftag(tmp_path / "gone.txt", "outer")
    reporter.add_tag("a first try")

    report = reported(reporter)

    assert report.headings == ["here", "Tags", "Files"]
    assert report.paragraphs[1] == "a first try"
    assert report.links == ["../a%20%28b%29.txt"]
    assert report.rows("Files") == [
        ["inner | one", "a (b).txt", "5 bytes"],
        ["outer", str(tmp_path / "gone.txt"), "not there"],
    ]


@pytest.mark.parametrize(
    ("value", "step", "told"),
    [
        ("high", 1, "the metric 'loss' is 'high', a str: give a number"),
        (torch.ones(2), 1, "a Tensor: give a number"),
        (1.0, 0.5, "the step is '0.5', a float: give a whole number"),
        (1.0, 2**63, "at most 63 bits"),
        (1.0, None, "the step is None: give a whole number"),
    ],
)
def test_what_is_no_scalar_is_refused_and_leaves_nothing(
    value: Any, step: Any, told: str, tmp_path: Path
) -> None:
    reporter = Reporter(tmp_path)
    with pytest.raises(UsageError) as refused:
        reporter.add_scalar(value, step, "loss")

    assert told in str(refused.value)
    assert "\n" not in str(refused.value)
    assert "loss" not in reported(reporter).headings


def test_a_folder_that_cannot_be_made_is_told_in_a_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")

    with pytest.raises(RecordError, match=r"cannot make .*give a folder that you may write to$"):
        Reporter(tmp_path / "file").report()


def test_a_million_scalars_stay_small_and_make_a_short_report(tmp_path: Path) -> None:
    import tracemalloc

    reporter = Reporter(tmp_path)
    tracemalloc.start()
    for step in range(200_000):
        reporter.add_scalar(0.5, step, "loss")
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kept < 200_000 * 20  # 16 bytes a value, and the room that arrays grow into
    for step in range(200_000, 1_000_000):
        reporter.add_scalar(float(step == 654_321), step, "loss")

    report = reported(reporter)

    assert len(report.rows("loss")) <= 201
    assert "1,000,000 values, one of every 5,000 and the last shown." in report.paragraphs
    with Image.open(reporter.savedir / "loss.png") as image:
        pixels = np.asarray(image.convert("RGB")).astype(int)
    bluish = ((pixels[:, :, 2] - pixels[:, :, 0]) > 40).any(axis=1)
    assert bluish.mean() > 0.7  # the spike is drawn from the bottom to the top


@given(
    values=st.lists(
        st.tuples(numbers, st.integers(-(2**63) + 1, 2**63 - 1), st.text(max_size=20)), max_size=12
    ),
    info=st.dictionaries(st.text(max_size=20), st.text(max_size=20) | numbers, max_size=4),
)
def test_whatever_is_added_makes_markdown_without_html_that_has_all_of_it(
    values: list[tuple[float, int, str]], info: dict[str, Any], tmp_path_factory: Any
) -> None:
    reporter = Reporter(tmp_path_factory.mktemp("any"))
    for value, step, tag in values:
        reporter.add_scalar(value, step, tag)
    with pytest.MonkeyPatch.context() as hidden:  # drawing takes its time, and is tested above
        hidden.setitem(sys.modules, "matplotlib", None)
        report = reported(reporter, every=1, otherinfo=info)

    assert not {"html_inline", "html_block", "code_inline", "link_open", "s_open"} & report.kinds
    names = len(values) and 1 + len({tag for _, _, tag in values})
    assert len(report.headings) == 1 + bool(info) + names
    kinds = [token.type for token in report.tokens]
    cells = 2 * (len(values) + len(info))
    assert kinds.count("td_open") == cells
