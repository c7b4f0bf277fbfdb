"""Figures as files: their forms, the same bytes again, nothing global changed, colours."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from colour_helpers import least_distance
from figure_helpers import curves, record_values, rows

from thexp_pl.errors import UsageError
from thexp_pl.report.board import Plotter
from thexp_pl.report.figures import metric_figure, new_figure, save_figure
from thexp_pl.report.figures.style import PALETTE, SUFFIXES, dress, line_look

LABELS = ("损失 $\\frac{", "plain")
ONCE = """
from test_figures_files import two_lines
from thexp_pl.report.figures import save_figure
for suffix in (".png", ".svg", ".pdf"):
    save_figure(two_lines(), f"again{suffix}")
"""


def two_lines(labels: tuple[str, str] = ("one", "two")) -> Any:
    figure = new_figure()
    axes = dress(figure.add_subplot())
    for place, label in enumerate(labels):
        axes.plot([0, 1, 2], [place, 3, 1], **line_look(place))
        axes.set_xlabel(label)
    axes.set_title(labels[0])
    return figure


def test_png_has_300_dots_an_inch() -> None:
    from PIL import Image

    save_figure(two_lines(LABELS), "a.png")
    with Image.open("a.png") as image:
        image.load()
        assert image.size == (990, 673)
        assert round(image.info["dpi"][0]) == 300


def test_svg_keeps_its_text_as_text() -> None:
    save_figure(two_lines(LABELS), "a.svg")
    tree = ElementTree.parse("a.svg")
    texts = {"".join(node.itertext()) for node in tree.iter("{http://www.w3.org/2000/svg}text")}
    assert set(LABELS) <= texts
    assert "<dc:date>" not in Path("a.svg").read_text()


def test_pdf_holds_its_fonts_as_truetype_and_no_date() -> None:
    save_figure(two_lines(LABELS), "a.pdf")
    data = Path("a.pdf").read_bytes()
    assert data.startswith(b"%PDF-")
    table = int(data.rsplit(b"startxref", 1)[1].split()[0])
    assert data[table:].startswith(b"xref")
    assert data.rstrip().endswith(b"%%EOF")
    assert b"/FontFile2" in data
    assert b"/Type3" not in data
    assert b"/CreationDate" not in data


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_the_same_figure_gives_the_same_bytes_again(suffix: str) -> None:
    figure = two_lines()
    for name, own in (("a", figure), ("b", figure), ("c", two_lines())):
        save_figure(own, f"{name}{suffix}")
    assert len({Path(f"{name}{suffix}").read_bytes() for name in "abc"}) == 1


def test_another_process_writes_the_same_bytes() -> None:
    path = f"{Path(__file__).parent}{os.pathsep}{Path(__file__).parents[1]}"
    environment = {**os.environ, "PYTHONHASHSEED": "7", "PYTHONPATH": path}
    subprocess.run([sys.executable, "-c", ONCE], env=environment, check=True, timeout=120)
    for suffix in SUFFIXES:
        save_figure(two_lines(), f"here{suffix}")
        assert Path(f"here{suffix}").read_bytes() == Path(f"again{suffix}").read_bytes()


def test_nothing_global_is_changed_by_threads_that_draw_at_once() -> None:
    import matplotlib

    faults: list[Exception] = []

    def write(number: int) -> None:
        try:
            save_figure(two_lines(), f"{number}{SUFFIXES[number % 3]}")
        except Exception as error:  # noqa: BLE001 - the test's thread says what went wrong
            faults.append(error)

    threads = [threading.Thread(target=write, args=(number,), daemon=True) for number in range(6)]
    with matplotlib.rc_context({"svg.hashsalt": "mine", "svg.fonttype": "path", "pdf.fonttype": 3}):
        before = dict(matplotlib.rcParams)
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout=180)
            assert not thread.is_alive()
        assert dict(matplotlib.rcParams) == before
    assert not faults
    assert (
        "matplotlib.pyplot" not in sys.modules or not sys.modules["matplotlib.pyplot"].get_fignums()
    )
    for number in range(3):
        assert Path(f"{number}{SUFFIXES[number]}").read_bytes() == (
            Path(f"{number + 3}{SUFFIXES[number]}").read_bytes()
        )


def test_the_users_settings_change_no_figure() -> None:
    import matplotlib

    record_values([1.0, 2.0, 3.0])
    save_figure(metric_figure(rows()), "a.svg")
    with matplotlib.rc_context({"axes.prop_cycle": "cycler('color', ['r'])", "svg.fonttype": "path",
                                "figure.facecolor": "red", "axes.facecolor": "green",
                                "xtick.color": "blue", "axes.labelcolor": "blue"}):  # fmt: skip
        save_figure(metric_figure(rows()), "b.svg")
    assert Path("a.svg").read_bytes() == Path("b.svg").read_bytes()


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("style", ["classic", "seaborn-v0_8", "tex"])
def test_a_style_of_the_users_changes_no_byte(style: str, suffix: str) -> None:
    import matplotlib
    from matplotlib import style as styles

    curve = {"loss": ([0, 1, 2], [1.0, 3.0, 2.0])}
    (first,) = Plotter("a", formats=suffix[1:]).curves("loss", curve)
    tex = {"text.usetex": True, "pdf.use14corefonts": True, "savefig.bbox": "tight"}
    settings: Any = tex if style == "tex" else styles.library[style]
    with matplotlib.rc_context(settings):
        before = dict(matplotlib.rcParams)
        (second,) = Plotter("b", formats=suffix[1:]).curves("loss", curve)
        assert dict(matplotlib.rcParams) == before
    assert first.read_bytes() == second.read_bytes()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("a.pgn", r"'a.pgn' does not say in which form: end it in .*; did you mean '.png'"),
        ("a", r"'a' does not say in which form: end it in .png, .svg, .pdf$"),
        (".pdf", r"'.pdf' does not say"),
    ],
)
def test_a_form_that_cannot_be_written_is_refused(name: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        save_figure(new_figure(), name)
    assert not Path(name).exists()
    save_figure(new_figure(), "A.PNG")
    assert Path("A.PNG").read_bytes().startswith(b"\x89PNG")


def test_a_file_that_cannot_be_written_leaves_nothing_behind() -> None:
    Path("folder.png").mkdir()
    with pytest.raises(OSError, match="directory"):
        save_figure(new_figure(), "folder.png")
    with pytest.raises(FileNotFoundError):
        save_figure(new_figure(), "nowhere/a.png")
    assert [path.name for path in Path.cwd().iterdir()] == ["folder.png"]


def test_sizes_are_those_of_a_paper() -> None:
    for width, inches in (("single", 3.3), ("double", 6.9), (5, 5), ("4.5", 4.5)):
        assert new_figure(width, 2).get_size_inches().tolist() == [inches, 2]
    record_values([1.0, 2.0])
    figure = metric_figure(rows(), width="double", height=3.0, title="$ {")
    assert figure.get_size_inches().tolist() == [6.9, 3.0]
    assert figure.get_suptitle() == "$ {"
    assert curves(figure)
    (axes,) = figure.axes
    assert [each.label.get_fontsize() for each in (axes.xaxis, axes.yaxis)] == [8, 8]  # points
    save_figure(figure, "a.pdf")


def test_without_matplotlib_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    record_values([1.0, 2.0])
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    for draw in (new_figure, lambda: metric_figure(rows())):
        with pytest.raises(
            UsageError, match=r"a figure needs the package matplotlib; .*\[report\]"
        ):
            draw()


def test_the_colours_can_be_told_apart_by_the_colour_blind() -> None:
    assert least_distance(PALETTE) > 15
    looks = [line_look(place) for place in range(40)]  # as many as a legend names
    assert len({(look["color"], str(look["linestyle"])) for look in looks}) == 40
