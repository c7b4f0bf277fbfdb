"""The file of a page: self-contained, the same for the same data, and nothing in it obeyed."""

from __future__ import annotations

import base64
import gzip
import random
import re
import sys
from pathlib import Path
from typing import Any

import pytest
from page_helpers import CALL, data_in, record, rows_of, without_packed, write_metrics

from thexp_pl.errors import RecordError, UsageError
from thexp_pl.record.notes import add_note, add_tags
from thexp_pl.report.page import live_html, page_data, page_html, plotly_file, write_page

MB = 1_000_000


@pytest.fixture
def data(tmp_path: Path) -> Any:
    record(tmp_path, lr=0.1)
    return page_data(rows_of(tmp_path))


def scripts_in(html: str) -> list[str]:
    """Give the attributes of all scripts that a browser would run."""
    found = re.findall(r"<script\b([^>]*)>", without_packed(html))
    return [attributes for attributes in found if 'type="text/plain"' not in attributes]


def policy_of(html: str) -> dict[str, str]:
    found = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', html)
    assert found is not None
    parts = (part.strip().split(" ", 1) for part in found[1].split(";"))
    return dict(parts)


def test_the_data_is_in_the_file_as_it_is(data: Any) -> None:
    assert data_in(page_html(data)) == data


def test_plotly_is_in_the_file_whole(data: Any) -> None:
    packed = re.search(r'id="plotly">([A-Za-z0-9+/=]+)<', page_html(data))
    assert packed is not None
    assert gzip.decompress(base64.b64decode(packed[1])) == plotly_file().read_bytes()


def test_nothing_in_the_file_may_ask_for_anything(data: Any) -> None:
    html = page_html(data)
    policy = policy_of(html)
    assert policy["default-src"] == policy["base-uri"] == policy["form-action"] == "'none'"
    assert policy["img-src"] == "data: blob:"
    assert not {"connect-src", "frame-src", "font-src"} & policy.keys()
    addresses = re.findall(r"""(?:src|href|action)\s*=\s*["']([^"']*)""", without_packed(html))
    assert [one for one in addresses if re.match(r"\w+:|//", one)] == ["data:,"]


def test_only_the_scripts_of_the_page_may_run(data: Any) -> None:
    one, other = page_html(data), page_html(data)
    [nonce] = set(re.findall(r"nonce-([\w-]+)", one))
    assert f"'nonce-{nonce}' 'unsafe-eval'" == policy_of(one)["script-src"]
    assert len(nonce) >= 16
    assert scripts_in(one)
    assert all(attributes == f' nonce="{nonce}"' for attributes in scripts_in(one))
    [second] = set(re.findall(r"nonce-([\w-]+)", other))
    assert second != nonce
    assert one.replace(nonce, "") == other.replace(second, "")
    packed = re.findall(r'<script type="text/plain"[^>]*>([\w+/]{16})', one)
    assert [base64.b64decode(each)[4:8] for each in packed] == [bytes(4)] * 2  # no time


def test_hostile_texts_appear_nowhere_as_they_are(tmp_path: Path) -> None:
    quoted = f"\"'>{CALL}</title></script><!--"
    exp = record(tmp_path, CALL.replace("/", "-"), metrics={CALL: float}, **{CALL: quoted})
    add_tags(exp.paths, CALL, "</script>")
    add_note(exp.paths, quoted)
    exp.paths.console.parent.mkdir(exist_ok=True)
    exp.paths.console.write_text(CALL)
    plain = page_html(page_data(rows_of(tmp_path), title="t"))
    html = page_html(page_data(rows_of(tmp_path), title=quoted))
    assert "alert(1)" not in without_packed(plain).split("</head>")[1]
    assert "<script>alert" not in html
    assert len(scripts_in(html)) == len(scripts_in(plain))
    assert "<title>&#34;&#39;&gt;&lt;script&gt;alert(1)" in html
    assert data_in(html)["title"] == quoted


def test_names_that_are_no_unicode_can_be_written(tmp_path: Path) -> None:
    record(tmp_path, path="\udcff")
    file = write_page(rows_of(tmp_path), tmp_path / "report.html", title="a\udcffb")
    html = file.read_text("utf-8")
    assert data_in(html)["detail"]["params"] == {"path": "\udcff"}


def test_a_served_page_asks_its_own_server() -> None:
    html = live_html(
        f"a{CALL}",
        nonce="abc",
        data_url='/api/"</script>',
        plotly_url="/plotly.js",
        styles=["p { color: red }"],
        scripts=["own();"],
    )
    assert "Content-Security-Policy" not in html
    assert scripts_in(html)[0] == ' nonce="abc" src="/plotly.js"'
    assert all(attributes.startswith(' nonce="abc"') for attributes in scripts_in(html))
    assert r'fetch("/api/\"\u003c/script\u003e"' in html
    assert "alert(1)" not in html.split("</title>")[1]
    assert html.index("own();") < html.index("thexp.start(data)")
    assert 'id="data"' not in html


# -- size ----------------------------------------------------------------------------------------


def many_curves(root: Path, runs: int, metrics: int, points: int) -> Any:
    """Write curves that nothing can pack: random digits."""
    chance = random.Random(0)
    for _ in range(runs):
        exp = record(root, steps=1, metrics={f"m{n}": float for n in range(metrics)})
        rows = (
            f"{step},{step // 100},{1e9 + step},m{n},{chance.gauss(0, 1)!r}\n"
            for step in range(points)
            for n in range(metrics)
        )
        write_metrics(exp.paths, "".join(rows))
    return page_data(rows_of(root))


def check_size(data: Any, points: int) -> None:
    size = len(page_html(data).encode())
    assert size < 5 * MB
    curves = [curve for own in data["curves"].values() for curve in own["curves"].values()]
    assert {curve["points"] for curve in curves} == {points}
    assert min(len(curve["x"]) for curve in curves) > 300


def test_a_page_of_twenty_runs_is_small(tmp_path: Path) -> None:
    check_size(many_curves(tmp_path, runs=20, metrics=10, points=600), 600)


@pytest.mark.slow
def test_a_page_of_twenty_runs_of_ten_thousand_points_is_small(tmp_path: Path) -> None:
    check_size(many_curves(tmp_path, runs=20, metrics=10, points=10_000), 10_000)


# -- writing -------------------------------------------------------------------------------------


def test_a_file_that_is_there_is_left_as_it_is(tmp_path: Path) -> None:
    record(tmp_path / "root")
    target = tmp_path / "report.html"
    target.symlink_to("nowhere")
    with pytest.raises(RecordError, match=r"there is a '.*report\.html' already.*another file"):
        write_page(rows_of(tmp_path / "root"), target)
    assert target.is_symlink()
    assert not (tmp_path / "nowhere").exists()


def test_a_file_that_came_meanwhile_is_left_as_it_is(tmp_path: Path) -> None:
    record(tmp_path / "root")
    target = tmp_path / "report.html"
    with pytest.raises(RecordError, match="already"):
        write_page(
            rows_of(tmp_path / "root"), target, progress=lambda *told: target.write_text("mine")
        )
    assert target.read_text() == "mine"


def test_a_folder_that_is_not_there_is_said_to_be_so(tmp_path: Path) -> None:
    record(tmp_path / "root")
    with pytest.raises(RecordError, match=r"cannot write '.*': No such file.*see that its folder"):
        write_page(rows_of(tmp_path / "root"), tmp_path / "none" / "report.html")


@pytest.mark.parametrize("package", ["plotly", "jinja2"])
def test_without_its_packages_it_says_how_to_have_a_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: str
) -> None:
    record(tmp_path)
    monkeypatch.setitem(sys.modules, package, None)  # as Python finds it where there is none
    with pytest.raises(UsageError, match=rf"the package {package}; run: pip install .*\[report\]"):
        write_page(rows_of(tmp_path), tmp_path / "report.html")
    assert not (tmp_path / "report.html").exists()


@pytest.mark.parametrize(
    ("package", "why"), [("plotly", "no package_data/plotly.min.js"), ("jinja2", "half of it")]
)
def test_packages_that_are_broken_are_said_to_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: str, why: str
) -> None:
    record(tmp_path / "root")
    (tmp_path / "site" / package).mkdir(parents=True)
    source = "raise ImportError('half of it')" if package == "jinja2" else ""
    (tmp_path / "site" / package / "__init__.py").write_text(source)
    monkeypatch.delitem(sys.modules, package, raising=False)
    monkeypatch.syspath_prepend(tmp_path / "site")
    with pytest.raises(UsageError, match=f"{package}, which is broken .*{why}.*reinstall"):
        write_page(rows_of(tmp_path / "root"), tmp_path / "report.html")
    assert not (tmp_path / "report.html").exists()


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("", "'' names no file: name one, such as report.html"),
        (".", "'.' is a folder: name a file in it, such as 'report.html'"),
        ("folder/", "is a folder: name a file in it, such as 'folder/report.html'"),
        ("/dev/null", "'/dev/null' does not end in .html"),
        ("-", "'-' does not end in .html"),
        ("runs.pdf", "'runs.pdf' does not end in .html: name a file that does"),
    ],
)
def test_what_names_no_page_is_refused_and_nobody_told_to_remove_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, told: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("folder").mkdir()
    record(tmp_path / "root")
    with pytest.raises(UsageError) as raised:
        write_page(rows_of(tmp_path / "root"), name)
    assert told in str(raised.value)
    assert "remove" not in str(raised.value)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder", "root"]
