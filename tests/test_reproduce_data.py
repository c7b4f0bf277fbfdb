"""The data of a project is there in the reproduction, and stays as it is in the project."""

from __future__ import annotations

from pathlib import Path

import pytest
from reproduce_helpers import PLAIN, Terminal, last, record, write

from thexp_pl.rerun import mirror

CHANGES = """
    import json, time
    exp.uses("data")
    deadline = time.monotonic() + 180
    kept = exp.path / "run.json"
    while not any(one.get("sha256") for one in json.loads(kept.read_text())["uses"]):
        assert time.monotonic() < deadline  # it is hashed in the background, before it changes
        time.sleep(0.01)
    open("data/a.txt", "a").write("more")
    open("data/sub/deep/b.txt", "w").write("other")
    open("data/sub/new.txt", "w").write("a cache")
    os.remove("data/sub/gone.txt")
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    write(folder, {"pyproject.toml": "", "train.py": PLAIN, ".gitignore": "data/\n"})
    return folder


@pytest.fixture
def type_in(capfd: pytest.CaptureFixture[str]) -> Terminal:
    return Terminal(capfd)


def put_data(project: Path) -> dict[str, str]:
    files = {"a.txt": "1", "sub/deep/b.txt": "2", "sub/gone.txt": "3"}
    write(project / "data", files)
    (project / "data" / "sub" / "new.txt").unlink(missing_ok=True)
    return files


def read(folder: Path) -> dict[str, str]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_text() for path in files}


def test_what_a_reproduction_writes_and_removes_stays_in_its_own_folder(
    project: Path, type_in: Terminal
) -> None:
    write(project, {"train.py": PLAIN + CHANGES})
    put_data(project)
    run = record(project)
    files = put_data(project)
    for _ in range(2):  # nor does the first leave anything to the second
        assert type_in("reproduce", run.key, "--verify") == 0
        assert type_in.said("differs") == []
        assert type_in.said("data") == []
        assert read(project / "data") == files
        (code,) = map(Path, type_in.said("code"))
        assert (code / "data" / "a.txt").read_text() == "1more"
        assert (code / "data" / "sub" / "new.txt").read_text() == "a cache"
        assert not (code / "data" / "sub" / "gone.txt").exists()
    assert type_in("rollback", run.key, "--to", str(project.parent / "back")) == 0
    assert not (project.parent / "back" / "code" / "data" / "sub").is_symlink()
    assert read(project.parent / "back" / "code" / "data") == files


def test_what_is_too_large_to_be_copied_is_a_link_and_a_line_says_so(
    project: Path, type_in: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(project, {"train.py": PLAIN + "    exp.uses('data')\n"})
    write(project / "data", {"a": "1" * 60, "sub/b": "2" * 60, "sub/c": "3" * 10})
    run = record(project)
    monkeypatch.setattr(mirror, "_COPIED_BYTES", 100)
    monkeypatch.setattr(mirror, "_cloned", lambda source, target: False)
    assert type_in("reproduce", run.key) == 0
    (told,) = type_in.said("data")
    assert told.startswith("1 files of data (0.00 GiB) are links")
    (code,) = map(Path, type_in.said("code"))
    links = {
        str(path.relative_to(code)) for path in (code / "data").rglob("*") if path.is_symlink()
    }
    assert links == {"data/sub/b"}
    assert (code / "data" / "sub" / "b").readlink() == project / "data" / "sub" / "b"


def test_links_among_the_data_lead_where_they_led_and_in_no_circle(
    project: Path, type_in: Terminal
) -> None:
    write(project, {"train.py": PLAIN + "    exp.uses('data')\n"})
    write(project / "data", {"real/a": "1", "b": "2"})
    data, outside = project / "data", project.parent / "outside"
    write(outside, {"c": "3"})
    for name, target in {
        "again": "real",
        "up": "..",
        "real/circle": "../real",
        "nowhere": "gone",
        "outside": str(outside),
    }.items():
        (data / name).symlink_to(target)
    run = record(project)
    assert type_in("reproduce", run.key) == 0
    assert type_in.said("differs") == []
    (code,) = map(Path, type_in.said("code"))
    copy = code / "data"
    assert not (copy / "up").exists()
    assert (copy / "real" / "a").samefile(copy / "again" / "a")
    assert (copy / "real" / "a").samefile(copy / "real" / "circle" / "a")
    assert (copy / "nowhere").is_symlink()
    (copy / "outside" / "c").write_text("other")
    assert (outside / "c").read_text() == "3"
    assert last(project).manifest["uses"][0]["sha256"] == run.manifest["uses"][0]["sha256"]


def test_a_link_that_cannot_be_made_in_a_reproduction_names_the_run_that_it_is_of(
    project: Path, type_in: Terminal
) -> None:
    run = record(project)
    assert type_in("reproduce", run.key) == 0
    told = type_in.refused("reproduce", "digits", "--link", "../x")
    assert f"of {last(project).key!r}, itself a reproduction of {run.key!r}" in told
