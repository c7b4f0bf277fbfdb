"""Reporter: figures, images and arrays as PNG files, under whatever names."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from markdown_helpers import shown
from matplotlib.figure import Figure
from PIL import Image
from saver_helpers import forked

from thexp_pl import Experiment, Reporter
from thexp_pl.errors import UsageError
from thexp_pl.record.journal import read_journal

HOSTILE = [
    *("../../x", "a/b", "a-b", "A-B", "x" * 300, "手写数字", "<script>alert(1)</script>", "a|b`c`"),
    *("", ".", "..", "/etc/passwd", "-rf", "a\nb\x1b[31m", "report.md", "\udcff", "[x](y)"),
]


def opened(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image)


def square() -> Figure:
    figure = Figure(figsize=(1, 1), dpi=50)
    figure.add_subplot().plot([0, 1])
    return figure


# -- what is drawn -------------------------------------------------------------------------------

grey = np.arange(30, dtype=np.uint8).reshape(6, 5)
colours = np.stack([grey, grey + 50, grey + 100], axis=2)
see_through = np.concatenate([colours, np.full((6, 5, 1), 200, np.uint8)], axis=2)


@pytest.mark.parametrize(
    ("array", "pixels"),
    [
        (grey, grey),
        (grey[:, :, None], grey),
        (grey[None], grey),
        (colours, colours),
        (colours.transpose(2, 0, 1), colours),
        (see_through, see_through),
        (see_through.transpose(2, 0, 1), see_through),
        (grey / 255, grey),
        ((grey / 255).astype(np.float16), grey),
        (torch.tensor(colours).permute(2, 0, 1), colours),
        (torch.tensor(grey / 255, dtype=torch.float64, requires_grad=True), grey),
        ((torch.arange(4.0) / 4).reshape(2, 2).bfloat16(), np.array([[0, 64], [128, 191]])),
        (grey[:, ::-1], grey[:, ::-1]),
    ],
)
def test_an_array_or_tensor_is_drawn_pixel_by_pixel(
    array: Any, pixels: np.ndarray, tmp_path: Path
) -> None:
    path = Reporter(tmp_path).savearr(array, "mine", 7)

    assert path.name == "mine-7.png"
    assert np.array_equal(opened(path), pixels)


@pytest.mark.parametrize(
    ("figure", "told"),
    [
        (
            np.zeros((2, 3, 4, 5)),
            "shape (2, 3, 4, 5), and a picture (H, W), .*such as x[0]",
        ),
        (np.zeros((2, 5, 5)), "has the shape (2, 5, 5)"),
        (np.zeros((0, 3)), "has the shape (0, 3)"),
        (np.zeros(3), "has the shape (3,)"),
        (np.float64(0.5), "has the shape ()"),
        (
            np.zeros((2, 2), np.int64),
            "of int64: give uint8 from 0 to 255, or floats from 0 to 1",
        ),
        (np.ones((2, 2), bool), "is of bool"),
        (np.zeros((2, 2), complex), "is of complex128"),
        (np.array([["a"]]), "is of <U1"),
        (np.array([[0.0, 1.5]]), "has floats from 0 to 1.5: bring them to 0 to 1"),
        (np.array([[0.0, np.nan]]), "has floats from nan to nan"),
        (torch.full((2, 2), -1e-3), "has floats from -0.001 to -0.001"),
        ([[0.5]], "is a list: give a matplotlib Figure, a PIL image, or an array or tensor"),
        ("plot.png", "is a str"),
    ],
)
def test_what_is_no_picture_is_refused_in_a_line_and_leaves_no_file(
    figure: Any, told: str, tmp_path: Path
) -> None:
    reporter = Reporter(tmp_path)
    with pytest.raises(UsageError) as refused:
        reporter.add_figure(figure, "mine")

    for part in told.split(".*"):
        assert part in str(refused.value)
    assert "\n" not in str(refused.value)
    assert list(tmp_path.rglob("*.png")) == []


def test_figures_and_images_are_files_at_once_and_in_the_next_report(tmp_path: Path) -> None:
    reporter = Reporter(tmp_path)
    figure = square()
    first = reporter.add_figure(figure, "curve", 1)
    before = first.read_bytes()
    figure.axes[0].plot([1, 0])
    second = reporter.savefig(figure, "curve", 2)
    image = reporter.add_figure(Image.fromarray(colours), "image")

    report = shown(reporter.report())

    assert opened(first).shape[:2] == (50, 50)
    assert first.read_bytes() == before != second.read_bytes()
    assert np.array_equal(opened(image), colours)
    assert report.picture_files(reporter.savedir) == [first, second, image]
    assert report.headings[1:] == ["Figures", "curve", "image"]
    assert [text for text in report.paragraphs if text.startswith("Step")] == ["Step 1:", "Step 2:"]
    with pytest.raises(UsageError, match=r"'dark' is an image of mode CMYK, .*convert\('RGB'\)$"):
        reporter.add_figure(Image.new("CMYK", (2, 2)), "dark")


# -- under which names ---------------------------------------------------------------------------


def test_hostile_tags_stay_in_the_folder_and_show_as_they_are(tmp_path: Path) -> None:
    reporter = Reporter(tmp_path / "deep" / "er")
    files = [reporter.savearr(grey, tag, step) for tag in HOSTILE for step in (None, 3, 3)]
    for tag in HOSTILE:
        reporter.add_scalar(1, 0, tag)
        reporter.add_tag(tag)
        reporter.add_ftag(tmp_path / "no", tag)

    report = shown(reporter.report(otherinfo=dict.fromkeys(HOSTILE, "|`<b>")))

    assert len({str(path).casefold() for path in files}) == len(files)
    assert {path.parent for path in files} == {reporter.savedir}
    assert all(len(os.fsencode(path.name)) < 120 for path in files)
    assert [path for path in tmp_path.rglob("*") if path.parent != reporter.savedir] == [
        tmp_path / "deep",
        tmp_path / "deep" / "er",
        reporter.savedir,
    ]
    pictures = report.picture_files(reporter.savedir)
    assert len(set(pictures)) == len(HOSTILE) * 4
    assert all(path.is_file() for path in pictures)
    assert not {"html_inline", "html_block", "code_inline", "s_open"} & report.kinds
    for tag in ("手写数字", "<script>alert(1)</script>", "a|b`c`", "[x](y)", "../../x"):
        assert report.headings.count(tag) == 2
        assert [tag, str(tmp_path / "no"), "not there"] in report.rows("Files")
        assert [tag, "|`<b>"] in report.rows("Information")


@given(tags=st.lists(st.text(max_size=100), max_size=8))
def test_no_two_tags_ever_share_a_file(tags: list[str]) -> None:
    from thexp_pl.report.filenames import FileNames

    names = FileNames()
    given_names = [names.fresh(tag, step) for tag in tags for step in (None, 1, -1)]

    assert len({name.casefold() for name in given_names}) == len(given_names)
    for name in given_names:
        assert Path(name).name == name
        assert not name.startswith(".")
        assert name.isprintable()
        assert len(name.encode()) < 120


def test_two_reporters_in_one_folder_keep_apart(tmp_path: Path) -> None:
    one, two = Reporter(tmp_path), Reporter(tmp_path)
    first, second = one.savearr(grey, "same"), two.savearr(colours, "same")

    assert one.report() != two.report()
    assert np.array_equal(opened(first), grey)
    assert np.array_equal(opened(second), colours)


# -- of a run ------------------------------------------------------------------------------------


def test_a_runs_reporter_writes_below_its_plots_journalled_and_without_secrets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = "planted_7f3a91c2"
    monkeypatch.setenv("SERVICE_TOKEN", secret)
    with Experiment(tmp_path, "mine", code=False, console=False) as run:
        reporter = Reporter(run)
        reporter.add_scalar(1, 0, f"loss {secret}")
        reporter.add_tag(secret)
        reporter.add_ftag(f"/data/{secret}", "data")
        reporter.add_ftag(run.path / "run.json", "manifest")
        reporter.savearr(grey, f"seen {secret}")
        reporter.savearr()
        path = reporter.report(otherinfo={"api_key": "other-4d1b", "note": f"with {secret}"})

    assert path == run.path / "plot" / "0001" / "report.md"
    report = shown(path)
    assert report.headings[0] == f"mine {run.key}"
    assert "../../run.json" in report.links
    changed = {event.get("path") for event in read_journal(run.paths.journal)}
    assert {"plot/0001/report.md", "plot/0001/scalars.csv"} <= changed
    for file in path.parent.iterdir():
        assert "planted" not in file.name
        assert secret.encode() not in file.read_bytes()
        assert b"other-4d1b" not in file.read_bytes()


@pytest.mark.parametrize("moment", [1, 7, 9, 11])  # two a file: of a picture, a curve, a report
def test_a_kill_in_the_midst_leaves_whole_files(moment: int, tmp_path: Path) -> None:
    def body() -> None:
        calls = iter(range(1, 100))
        real = os.fsync

        def fsync(descriptor: int) -> None:
            if next(calls) == moment:
                os.kill(os.getpid(), signal.SIGKILL)
            real(descriptor)

        os.fsync = fsync
        reporter = Reporter(tmp_path)
        for step in range(2):
            reporter.savearr(np.full((20, 20), step, np.uint8), "map", step)
            reporter.add_scalar(step, step, "loss")
            reporter.report(every=1)

    assert os.WIFSIGNALED(os.waitpid(forked(body), 0)[1])

    folder = tmp_path / "0001"
    files = sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))
    once, twice = ["loss.png", "map-0.png", "report.md"], ["loss.png", "map-0.png", "map-1.png"]
    assert files == {1: [], 7: once}.get(moment, [*twice, "report.md"])
    for file in folder.glob("[!.]*.png"):
        with Image.open(file) as image:
            image.load()
    if files:
        report = shown(folder / "report.md")
        assert report.rows("loss") == [["0", "0"]]
        assert report.picture_files(folder) == [folder / "loss.png", folder / "map-0.png"]


@pytest.mark.parametrize("package", ["matplotlib", "PIL", "numpy"])
def test_a_package_that_is_absent_is_told_with_the_extra(
    package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reporter = Reporter(tmp_path)
    reporter.add_scalar(1, 0, "loss")
    monkeypatch.setitem(sys.modules, package, None)

    if package == "matplotlib":
        report = shown(reporter.report())
        assert (report.rows("loss"), report.pictures) == ([["0", "1"]], [])
        (told,) = (text for text in report.paragraphs if "Without curves" in text)
        with pytest.raises(UsageError, match=package):
            reporter.savefig()
    else:
        with pytest.raises(UsageError) as refused:
            reporter.savearr(grey, "mine")
        told = str(refused.value)
    assert f"needs the package {package}; run: pip install 'thexp-pl[report]'" in told
