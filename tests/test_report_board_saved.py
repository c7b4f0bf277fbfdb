"""BoardPlotter.save and Plotter: figures, tables, images and texts in files."""

from __future__ import annotations

import csv
import re
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from board_helpers import encoded, event, histo, image, scalars, tensor, write_events
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from thexp_pl.errors import UsageError
from thexp_pl.report.board import BoardPlotter, Plotter

NAME = "events.out.tfevents.1000000000.host.1.0"
LOSS = {step: 2.0 ** -(step / 8) for step in range(0, 64, 4)}


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> BoardPlotter:
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (6, 8, 3)).astype(np.uint8)
    events = [
        *scalars("train/loss", LOSS),
        *(event(step, histo("weights", rng.normal(size=200) + step)) for step in (0, 10, 20)),
        *(event(step, image("images/samples", encoded(pixels + step))) for step in (0, 100, 100)),
        event(5, tensor("note", "text", ["# Hello"])),
    ]
    return BoardPlotter(write_events(tmp_path_factory.mktemp("board") / NAME, events))


def names(paths: list[Path], folder: Path) -> list[str]:
    assert all(path.is_file() for path in paths)
    return [path.relative_to(folder).as_posix() for path in paths]


def dots(path: Path) -> int:
    with Image.open(path) as image:
        image.load()
        return image.width


def test_everything_is_saved_in_files_named_by_tag_and_step(
    board: BoardPlotter, tmp_path: Path
) -> None:
    assert names(board.save(tmp_path / "a" / "b"), tmp_path / "a" / "b") == [
        "train_loss.png",
        "train_loss.csv",
        "images_samples/0000000.png",
        "images_samples/0000100.png",
        "images_samples/0000100-2.png",
        "weights.png",
        "weights.csv",
        "note/0000005.md",
    ]
    folder = tmp_path / "a" / "b"
    files = [one.encoded for one in board.images("images/samples")]
    saved = [folder / f"images_samples/{name}.png" for name in ("0000000", "0000100", "0000100-2")]
    assert [path.read_bytes() for path in saved] == files
    assert (folder / "note/0000005.md").read_text() == "# Hello\n"
    assert dots(folder / "train_loss.png") == 990  # 3.3 inches, 300 an inch


def test_tables_hold_the_values_as_they_are(board: BoardPlotter, tmp_path: Path) -> None:
    board.save(tmp_path, formats="csv", smooth=0.9)
    with (tmp_path / "train_loss.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {int(row["step"]): float(row["value"]) for row in rows} == {
        step: float(np.float32(value)) for step, value in LOSS.items()
    }
    assert [float(row["time"]) for row in rows] == [1e9 + step for step in LOSS]
    with (tmp_path / "weights.csv").open(newline="") as file:
        bins = list(csv.DictReader(file))
    assert [sum(float(row["count"]) for row in bins if row["step"] == step) for step in ("0", "20")]
    first = board.histograms("weights")[0]
    of_first = [row for row in bins if row["step"] == "0"]
    assert [float(row["left"]) for row in of_first] == first.limits[:-1].tolist()
    assert [float(row["right"]) for row in of_first] == first.limits[1:].tolist()
    assert [float(row["count"]) for row in of_first] == first.counts.tolist()


def test_only_the_tags_and_steps_that_are_asked_for_are_saved(
    board: BoardPlotter, tmp_path: Path
) -> None:
    saved = board.save(tmp_path, ["*loss", "images/*"], "csv", steps=range(50, 101))
    assert names(saved, tmp_path) == [
        "train_loss.csv",
        "images_samples/0000100.png",
        "images_samples/0000100-2.png",
    ]
    with (tmp_path / "train_loss.csv").open(newline="") as file:
        assert [row["step"] for row in csv.DictReader(file)] == ["52", "56", "60"]
    assert board.save(tmp_path, "train/loss", "csv", steps={1}) == []


def test_the_same_data_give_the_same_bytes(board: BoardPlotter, tmp_path: Path) -> None:
    forms = ("png", "svg", "pdf", "csv")
    first, second = (board.save(tmp_path / name, formats=forms, smooth=0.5) for name in "ab")
    assert len(first) == 12
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]


def test_a_pdf_embeds_its_fonts_and_an_svg_keeps_its_text(
    board: BoardPlotter, tmp_path: Path
) -> None:
    for tag in ("train/loss", "weights"):
        pdf, svg = board.save(tmp_path, tag, ("pdf", "svg"))
        data = pdf.read_bytes()
        assert data.startswith(b"%PDF-")
        assert b"/Type3" not in data
        assert b"/FontFile2" in data  # TrueType, which is Type 42
        streams = re.findall(rb"stream\r?\n(.*?)\r?\nendstream", data, re.DOTALL)
        assert any(b" TJ\n" in zlib.decompress(one) for one in streams if one[:1] == b"x")
        assert f">{tag}</text>" in svg.read_text()


HOSTILE = (
    "../../escaped",
    "/etc/passwd",
    "a" * 300,
    "损失" * 100,
    "a:b",
    "a/b",
    "a.b",
    "A.B",
    "loss",
    "Loss",
    "loss.csv",
    "<script>alert(1)</script>",
    "-rf",
    "..",
    "",
    "a\x1b[31m\n\u202eb",
    "$\\frac{",
)


def test_hostile_tags_stay_inside_the_folder_and_apart(tmp_path: Path) -> None:
    png = encoded(np.zeros((2, 2), np.uint8))
    events = [event(0, tensor(tag, "scalars", np.float32(n))) for n, tag in enumerate(HOSTILE)]
    events += [event(0, image(tag, png)) for tag in HOSTILE]
    board = BoardPlotter(write_events(tmp_path / NAME, events))
    out = tmp_path / "x" / "out"
    saved = board.save(out, formats="csv")
    assert len({str(path).casefold() for path in saved}) == 2 * len(HOSTILE)
    assert all(path.resolve().is_relative_to(out) for path in saved)
    assert {path for path in tmp_path.rglob("*") if path.is_file()} == {*saved, tmp_path / NAME}
    values = {}
    for path in saved[: len(HOSTILE)]:
        with path.open(newline="") as file:
            [row] = csv.DictReader(file)
        values[row["name"]] = float(row["value"])
    assert values == {tag: float(number) for number, tag in enumerate(HOSTILE)}


@pytest.mark.filterwarnings("ignore:letters that no font of this machine has")
def test_hostile_tags_can_be_drawn(tmp_path: Path) -> None:
    plotter = Plotter(tmp_path, formats=("png", "svg"))
    for tag in (*HOSTILE[2:4], *HOSTILE[11:12], *HOSTILE[14:]):
        for path in plotter.curves(tag, {tag: ([0, 1], [1, 2]), "_other": ([0, 1], [2, 1])}):
            assert path.parent == tmp_path
            assert path.stat().st_size > 1000


def test_a_file_has_the_same_name_whichever_tags_are_asked_for(tmp_path: Path) -> None:
    events = [*scalars("a/b", {0: 1}), *scalars("a_b", {0: 2})]
    board = BoardPlotter(write_events(tmp_path / NAME, events))
    whole = board.save(tmp_path / "all", formats="csv")
    [alone] = board.save(tmp_path / "one", "a_b", "csv")
    assert [path.name for path in whole] == ["a_b.csv", "a_b-2.csv"]
    assert alone.name == "a_b-2.csv"


@settings(max_examples=30, deadline=None)
@given(points=st.lists(st.tuples(st.integers(-50, 50), st.floats()), min_size=1, max_size=30))
def test_a_table_of_plain_data_is_in_the_order_of_the_steps(
    points: list[tuple[int, float]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    steps, values = zip(*points, strict=True)
    [path] = Plotter(tmp_path_factory.mktemp("plot"), "csv").curves("x", {"y": (steps, values)})
    with path.open(newline="") as file:
        rows = [(int(row["step"]), row["value"]) for row in csv.DictReader(file)]
    expected = sorted(points, key=lambda point: point[0])
    assert rows == [(step, repr(value)) for step, value in expected]


def test_a_folder_of_images_does_not_stand_in_the_way_of_a_table(tmp_path: Path) -> None:
    png = encoded(np.zeros((2, 2), np.uint8))
    events = [*scalars("loss", {0: 1}), event(0, image("loss.csv", png))]
    saved = BoardPlotter(write_events(tmp_path / NAME, events)).save(tmp_path, formats="csv")
    assert names(saved, tmp_path) == ["loss.csv", "loss_csv/0000000.png"]


def test_values_without_steps_are_drawn_one_after_another(tmp_path: Path) -> None:
    [path] = Plotter(tmp_path, "png").curves("x", {"y": ([0] * 50, range(50))})
    with Image.open(path) as file:
        pixels = np.asarray(file.convert("RGB"), dtype=int)
    is_blue = np.abs(pixels - (0x00, 0x72, 0xB2)).max(axis=2) < 8
    assert np.ptp(np.flatnonzero(is_blue.any(axis=0))) > 700  # of 990 dots


@pytest.mark.parametrize("steps", [[0] * 3000, [], [5], [0, 0, 1]])
def test_any_row_of_steps_can_be_drawn(tmp_path: Path, steps: list[int]) -> None:
    values = np.random.default_rng(0).normal(size=len(steps))
    [path] = Plotter(tmp_path, "png", smooth=0.6).curves("x", {"y": (steps, values)})
    assert dots(path) == 990


def test_what_cannot_be_meant_is_refused(board: BoardPlotter, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no format 'pgn': .*; did you mean 'png'\?"):
        board.save(tmp_path, formats=["pgn"])
    with pytest.raises(UsageError, match="smooth=1 is no weight: give one from 0 to below 1"):
        Plotter(tmp_path, smooth=1)
    with pytest.raises(UsageError, match=r"no tag 'train/los'; did you mean 'train/loss'\?"):
        board.save(tmp_path, ["train/los"])
    with pytest.raises(UsageError, match="the width 'singel' is no number"):
        board.save(tmp_path, "train/loss", width="singel")
    with pytest.raises(UsageError, match="the height '99' is no number of inches"):
        board.save(tmp_path, formats=("csv", "png"), height=99)
    plotter = Plotter(tmp_path)
    with pytest.raises(UsageError, match="of the shape \\(2,\\) and values of \\(3,\\)"):
        plotter.curves("x", {"y": ([0, 1], [1, 2, 3])})
    with pytest.raises(UsageError, match="'y' has a step that is not finite"):
        plotter.curves("x", {"y": ([0, float("nan")], [1, 2])})
    with pytest.raises(UsageError, match="'y' holds something that is no number"):
        plotter.curves("x", {"y": ([0], ["many"])})
    assert list(tmp_path.iterdir()) == []


def test_without_matplotlib_tables_are_saved_and_figures_name_the_extra(
    board: BoardPlotter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)  # as Python finds it where there is none
    assert len(board.save(tmp_path, formats="csv")) == 6
    with pytest.raises(UsageError, match=r"needs the package matplotlib; .*'thexp-pl\[report\]'"):
        board.save(tmp_path, formats="pdf")
