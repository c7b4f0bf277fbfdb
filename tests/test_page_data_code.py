"""The code of a run on its page: highlighted, escaped, and as much as a page holds."""

from __future__ import annotations

import html
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from page_helpers import CALL, record, rows_of, run_of, with_code

from thexp_pl.record import Experiment
from thexp_pl.record.paths import code_store
from thexp_pl.report.page import run_data
from thexp_pl.report.page.building import page_data
from thexp_pl.report.page.coloured import patch_html, source_html

SOURCE = '\n\n"""Of <b>two</b>\nlines."""\nx = 1 < 2 & 3\n'


def plain_text(highlighted: str) -> str:
    return html.unescape(re.sub(r"<[^>]*>", "", highlighted))


def code_in(data: dict[str, Any]) -> dict[str, str]:
    return {file["path"]: plain_text(file["html"]) for file in data["code"]}


@given(st.text(), st.sampled_from(["a.py", "a.yaml", "Makefile", "a.unknown", "a/b.sh", ""]))
def test_no_text_of_a_source_becomes_a_tag(text: str, path: str) -> None:
    found = source_html(path, text)
    assert set(re.findall(r"<[^>]*>?", found)) <= set(
        re.findall(r'<span class="tok-[\w -]+">|</span>', found)
    )
    # a lexer makes all ends of lines one, and takes the mark of the byte order away
    lines = re.sub(r"\r\n?", "\n", text).removeprefix("\ufeff")
    assert plain_text(found).removesuffix("\n") == lines.removesuffix("\n")


def test_no_tag_goes_over_the_end_of_a_line() -> None:
    lines = source_html("a.py", SOURCE).split("\n")
    assert [line.count("<span") for line in lines] == [line.count("</span>") for line in lines]
    assert plain_text(lines[2]) == '"""Of <b>two</b>'
    assert '<span class="tok-' in lines[4]


def test_a_line_without_end_is_shown_without_colours() -> None:
    text = "x = " + "(" * 100_000
    assert source_html("a.py", text).strip() == text


def test_what_was_added_and_removed_has_classes_of_its_own() -> None:
    found = patch_html(f"--- a/x\n+++ b/x\n@@ -1 +1 @@\n-{CALL}\n+new\n")
    assert f'<span class="tok-gd">-{html.escape(CALL)}</span>' in found
    assert '<span class="tok-gi">+new</span>' in found


def test_the_names_of_files_above_hunks_are_no_lines_that_were_added_or_removed() -> None:
    head = "diff --git a/x b/x\nnew file mode 100644\n--- /dev/null\n+++ b/x\n@@ -1 +1 @@\n"
    found = patch_html(f"{head}--- was a comment\n+++ b\n{head}+new\n")
    signed = [line for line in found.split("\n") if "tok-gd" in line or "tok-gi" in line]
    assert [plain_text(line) for line in signed] == ["--- was a comment", "+++ b", "+new"]


def test_the_sources_of_a_run_are_shown(tmp_path: Path) -> None:
    project = tmp_path / "project"
    exp = with_code(tmp_path / "root", project, train__py=SOURCE, conf__yaml=f"name: '{CALL}'\n")
    found = code_in(run_data(run_of(exp)))
    assert found["train.py"] == SOURCE
    assert found["conf.yaml"] == f"name: '{CALL}'\n"
    lines = {file["path"]: file["lines"] for file in run_data(run_of(exp))["code"]}
    assert lines["train.py"] == 5
    data = run_data(run_of(exp), code=False)
    assert (data["code"], data["code_left"]) == ([], [])


def test_the_file_that_was_started_comes_first(tmp_path: Path) -> None:
    script = tmp_path / "project" / "z.py"
    script.parent.mkdir()
    (script.parent / "a.py").write_text("A = 1\n")
    script.write_text(
        "from thexp_pl.record import Experiment\n"
        f"with Experiment({str(tmp_path / 'root')!r}, 'digits'): pass\n"
    )
    subprocess.run([sys.executable, str(script)], check=True, timeout=180, capture_output=True)
    data = page_data(rows_of(tmp_path / "root"))["detail"]
    assert [file["path"] for file in data["code"]] == ["z.py", "a.py"]


def test_what_is_no_text_is_left_out_with_the_reason(tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    (project / "image.ico").write_bytes(b"\0\1")
    (project / "link.py").symlink_to("train.py")
    (project / "latin.py").write_bytes(b"# caf\xe9\n")
    (project / ".env").write_text("TOKEN=1")
    exp = with_code(tmp_path / "root", project, train__py="", data__csv="1")
    data = run_data(run_of(exp))
    left = dict(data["code_left"])
    assert left["image.ico"] == "binary"
    assert left["link.py"] == "a symbolic link"
    assert ".env" in left
    found = code_in(data)
    assert found["latin.py"] == "# caf\ufffd\n"
    assert found["train.py"] == ""


def test_large_sources_are_cut_and_the_rest_is_named(tmp_path: Path) -> None:
    text = "x = 1  # some text\n" * 30_000
    files = {f"{name}__py": text for name in "abcd"} | {"readme__md": text}
    exp = with_code(tmp_path / "root", tmp_path / "project", **files)
    data = run_data(run_of(exp))
    shown = {file["path"]: file for file in data["code"]}
    told = {path: file["cut"] for path, file in shown.items()}
    assert told == {"a.py": True, "b.py": True, "pyproject.toml": False}  # what is small fits in
    code = code_in(data)["a.py"]
    assert len(code) <= 200_000
    assert code == text[: len(code)]
    assert code.endswith("\n")
    assert shown["a.py"]["lines"] == code.count("\n")
    left = dict(data["code_left"])
    assert left["c.py"] == left["readme.md"] == "a page holds 500 files and 500 kB of code"


def test_a_plain_copy_is_read_where_there_is_no_git(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    script = tmp_path / "project" / "train.py"
    script.parent.mkdir()
    script.write_text(SOURCE)
    monkeypatch.setattr(sys, "argv", [str(script)])
    # a worker's `__main__` has no file
    monkeypatch.setattr(sys.modules["__main__"], "__file__", str(script), raising=False)
    exp = Experiment(tmp_path / "root", "digits", project=script.parent, console=False)
    with pytest.warns(match="no git"):
        exp.start_exp()
    exp.end_exp()
    os.mkfifo(exp.paths.code / "pipe.py")  # as a hostile archive may hold
    data = run_data(run_of(exp))
    assert code_in(data) == {"train.py": SOURCE}
    assert ["pipe.py", "no regular file"] in data["code_left"]


def test_a_snapshot_that_is_gone_leaves_the_rest_of_the_page(tmp_path: Path) -> None:
    exp = with_code(tmp_path / "root", tmp_path / "project", train__py=SOURCE)
    shutil.rmtree(code_store(exp.root) / "objects")
    data = run_data(run_of(exp))
    assert data["code"] == []
    [path, why] = data["code_left"][0]
    assert path == "all of it"
    assert why
    assert data["params"] == {"lr": 0.1}


def test_nothing_is_written_into_the_root(tmp_path: Path) -> None:
    exp = with_code(tmp_path / "root", tmp_path / "project", train__py=SOURCE)
    bare = record(tmp_path / "bare")
    before = {path: path.lstat().st_mtime_ns for path in tmp_path.rglob("*")}
    for one in (exp, bare):
        run_data(run_of(one))
    assert {path: path.lstat().st_mtime_ns for path in tmp_path.rglob("*")} == before


def test_the_patch_to_the_parent_is_shown_by_file(tmp_path: Path) -> None:
    root, project = tmp_path / "root", tmp_path / "project"
    with_code(root, project, train__py=SOURCE, old__py="old = 1\n")
    (project / "old.py").unlink()
    (project / "image.ico").write_bytes(b"\0")
    child = with_code(root, project, train__py=SOURCE + CALL + "\n", big__py="x = 1\n" * 40_000)
    parent = next(row for row in rows_of(root) if row.key != child.key)
    run = run_of(child)
    run.manifest["parent"] = {"key": parent.key, "how": "resumed"}
    diff = page_data_diff(run, parent.key)
    assert [(patch["path"], patch["state"]) for patch in diff["patches"]] == [
        ("old.py", "removed"),
        ("train.py", "changed"),
    ]
    assert html.escape(f"+{CALL}") in diff["patches"][1]["html"]
    assert plain_text(diff["patches"][0]["html"]).startswith("diff --git a/old.py")
    [code] = [part for part in diff["sections"] if part["category"] == "code"]
    assert code["heads"] == ["file", "how", "lines"]
    rows = {name: rest for name, *rest in code["rows"]}
    assert rows["train.py"] == ["changed", "+1 -0"]
    assert rows["image.ico"] == ["added", "binary"]
    assert "a page holds 200 kB of patches; without: big.py" in diff["remarks"]


def page_data_diff(run: Any, key: str) -> Any:
    from thexp_pl.report.page import parent_of

    parent = parent_of(run)
    assert parent is not None
    assert parent.key == key
    return run_data(run, parent)["diff"]
