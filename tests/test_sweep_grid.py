"""The points of a grid: counted before they are made, crossed, zipped, or from a file."""

from __future__ import annotations

import csv
import io
import itertools
import json
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thexp_pl.errors import UsageError
from thexp_pl.sweeps.grid import grid_points
from thexp_pl.sweeps.points_file import points_of_file
from thexp_pl.sweeps.values import joined

NAMES = st.sampled_from(["lr", "optim.lr", "seed", "width", "label"])


def refused(call: object) -> str:
    with pytest.raises(UsageError) as caught:
        call()  # type: ignore[operator]
    assert "\n" not in str(caught.value)
    return str(caught.value)


@given(st.dictionaries(NAMES, st.lists(st.text(), min_size=1, max_size=4), max_size=4))
def test_the_points_are_the_product_of_the_lists_in_their_order(
    lists: dict[str, list[str]],
) -> None:
    fixed, grid = grid_points({name: joined(values) for name, values in lists.items()})
    varied = {name: values for name, values in lists.items() if len(values) > 1}
    assert fixed == {name: values[0] for name, values in lists.items() if name not in varied}
    expected = [
        dict(zip(varied, values, strict=True)) for values in itertools.product(*varied.values())
    ]
    assert list(grid) == expected
    assert grid.count == len(expected) == math.prod(map(len, varied.values()))


def test_too_many_points_are_refused_with_their_number_at_once() -> None:
    options = dict.fromkeys("abcdefgh", "0..999")
    assert f"{1000**8:,} points are more than the 100,000" in refused(lambda: grid_points(options))
    assert grid_points({"a": "0..99999"})[1].count == 100_000
    assert "100,001 points" in refused(lambda: grid_points({"a": "0..100000"}))


def test_zipped_lists_go_together_and_what_is_fixed_stays() -> None:
    fixed, grid = grid_points({"lr": "1,2,3", "seed": "0..2", "width": "8"}, zipped=True)
    assert fixed == {"width": "8"}
    assert list(grid) == [{"lr": str(n + 1), "seed": str(n)} for n in range(3)]
    assert grid.count == 3


def test_zipped_lists_of_other_lengths_are_refused_with_the_lengths() -> None:
    line = refused(lambda: grid_points({"lr": "1,2,3", "seed": "0..4"}, zipped=True))
    assert "--lr has 3, --seed has 5" in line


def written(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text)
    return path


def test_points_of_yaml_and_csv_are_as_they_would_be_typed(tmp_path: Path) -> None:
    expected = [{"optim.lr": "1e-3", "label": "x", "on": "true"}, {"optim.lr": "0.10"}]
    yaml = "- optim: {lr: 1e-3}\n  label: x\n  on: true\n- optim.lr: 0.10\n"
    assert points_of_file(written(tmp_path, "a.yaml", yaml)) == expected
    table = "\ufeffoptim.lr,label,on\r\n1e-3,x,true\r\n0.10,,\r\n\r\n"
    assert points_of_file(written(tmp_path, "a.csv", table)) == expected
    assert points_of_file(written(tmp_path, "b.yaml", "- {t: [1, 2], u: {}}\n")) == [
        {"t": "[1, 2]", "u": "{}"}
    ]


def test_the_points_of_a_file_are_crossed_with_lists(tmp_path: Path) -> None:
    rows = points_of_file(written(tmp_path, "a.csv", "lr,width\n1,8\n2,16\n"))
    _, grid = grid_points({"seed": "0,1"}, rows)
    assert [tuple(point.values()) for point in grid] == [
        ("1", "8", "0"), ("1", "8", "1"), ("2", "16", "0"), ("2", "16", "1"),
    ]  # fmt: skip
    assert grid.names == ("lr", "width", "seed")
    line = refused(lambda: grid_points({"lr": "3"}, rows))
    assert "--lr is given, and the file of points has it too" in line


@pytest.mark.parametrize(
    ("name", "text", "why"),
    [
        ("a.yaml", "", "is no list of points"),
        ("a.yaml", "[]", "holds no point"),
        ("a.yaml", "- {}\n- {}", "holds no point"),
        ("a.yaml", "lr: 1", "is no list of points"),
        ("a.yaml", "- 3", "maps names to values"),
        ("a.yaml", "- lr: 1\n- lr:\n", "line 2: lr is empty"),
        ("a.yaml", "- lr: 1\n  lr: 2\n", "stands there twice"),
        ("a.yaml", "- lr: [1", "line 1"),
        ("a.yaml", "- 'a b': 1", "is no option's name"),
        ("a.yaml", "- &a {b: *a}", "'a.yaml'"),
        ("a.csv", "", "holds no point"),
        ("a.csv", "lr\n", "holds no point"),
        ("a.csv", "lr,lr\n1,2\n", "twice"),
        ("a.csv", "lr,\n1,2\n", "is no option's name"),
        ("a.csv", "lr\n1,2\n", "line 2: 2 cells where the header has 1"),
        ("a.csv", 'lr\n"1\n', "line 2"),
        ("a.txt", "lr\n1\n", "end its name in .csv or .yaml"),
    ],
)
def test_a_file_that_holds_no_points_is_refused_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, text: str, why: str
) -> None:
    monkeypatch.chdir(tmp_path)
    written(tmp_path, name, text)
    assert why in refused(lambda: points_of_file(Path(name)))


def test_a_file_that_is_not_there_or_no_text_is_refused(tmp_path: Path) -> None:
    assert "No such file" in refused(lambda: points_of_file(tmp_path / "none.csv"))
    (tmp_path / "b.csv").write_bytes(b"lr\n\xff\n")
    assert "is no text in UTF-8 (byte 3)" in refused(lambda: points_of_file(tmp_path / "b.csv"))


def test_a_few_lines_that_stand_for_millions_of_names_are_refused(tmp_path: Path) -> None:
    lines = ["- a: &a {x: 1, y: 2}"]
    for above, name in itertools.pairwise("abcdefghijklmnopqrstuvwx"):
        lines.append(f"  {name}: &{name} {{x: *{above}, y: *{above}}}")
    path = written(tmp_path, "laughs.yaml", "\n".join(lines))
    assert "more than 1,000 names" in refused(lambda: points_of_file(path))


@given(
    rows=st.lists(st.dictionaries(NAMES, st.text(min_size=1).map(lambda t: t.replace("\0", ""))))
)
def test_any_points_come_back_from_json_and_from_csv(
    tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, str]]
) -> None:
    rows = [{name: text for name, text in row.items() if text.strip("\r\n")} for row in rows]
    if not any(rows):
        return
    folder = tmp_path_factory.getbasetemp()
    names = sorted({name for row in rows for name in row})
    buffer = io.StringIO(newline="")
    writer = csv.DictWriter(buffer, names, quoting=csv.QUOTE_ALL)
    writer.writeheader()
    writer.writerows(rows)
    (folder / "any.csv").write_bytes(buffer.getvalue().encode())
    assert points_of_file(folder / "any.csv") == rows
    (folder / "any.json").write_text(json.dumps(rows))
    assert points_of_file(folder / "any.json") == rows
