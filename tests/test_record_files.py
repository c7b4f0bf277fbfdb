"""Files under held parts, as they are created, modified, moved and deleted."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import warnings
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest
from record_files_helpers import Lines, sha256, watching

from thexp_pl.atomic import write_bytes
from thexp_pl.errors import UsageError
from thexp_pl.record.files import FileChanges


def test_a_file_is_reported_while_it_lives_and_once_more_at_the_end(tmp_path: Path) -> None:
    with watching(tmp_path) as (_, lines, part):
        (part / "1.ckpt").write_bytes(b"12345")
        lines.wait_for("created", "part/1.ckpt")
        lines.wait(lambda: lines.events[-1][1]["size"] == 5)
        with (part / "1.ckpt").open("ab") as file:
            file.write(b"678")
        lines.wait(lambda: lines.events[-1][1]["size"] == 8)
        event, changed = lines.events[-1]
        assert event == "modified"
        assert datetime.fromisoformat(changed["modified"]).tzinfo is not None
        (part / "1.ckpt").rename(part / "2.ckpt")
        assert lines.wait_for("moved", "part/1.ckpt") == {
            "path": str(part / "1.ckpt"),
            "to": str(part / "2.ckpt"),
            "size": 8,
            "modified": changed["modified"],
        }
        (part / "0.ckpt").write_bytes(b"")
        lines.wait_for("created", "part/0.ckpt")
        (part / "0.ckpt").unlink()
        gone = lines.wait_for("deleted", "part/0.ckpt")
        assert (gone["size"], gone["modified"]) == (None, None)
    assert lines.final() == {
        "part/2.ckpt": {
            "event": "created",
            "path": str(part / "2.ckpt"),
            "size": 8,
            "modified": changed["modified"],
            "sha256": sha256(part / "2.ckpt"),
            "final": True,
        }
    }
    assert not lines.faults


def test_what_children_and_their_children_do_is_seen(tmp_path: Path) -> None:
    with watching(tmp_path) as (_, lines, part):
        script = "import sys, pathlib; pathlib.Path(sys.argv[1]).write_text('x')"
        subprocess.run([sys.executable, "-c", script, part / "child.ckpt"], check=True, timeout=180)
        lines.wait_for("created", "part/child.ckpt")
        pid = os.fork()
        if not pid:
            (part / "fork.ckpt").write_text("x")
            os._exit(0)
        os.waitpid(pid, 0)
        lines.wait_for("created", "part/fork.ckpt")


def test_files_from_before_the_start_count_from_when_their_part_was_held(tmp_path: Path) -> None:
    part = tmp_path / "part"
    part.mkdir()
    for name in ("kept", "changed", "gone", "moved"):
        (part / f"{name}.ckpt").write_text("old")
    lines = Lines(tmp_path)
    changes = FileChanges(lines.report, lines.fault)
    changes.hold(part, ".ckpt", observe=True)
    (part / "changed.ckpt").write_text("newer")
    (part / "gone.ckpt").unlink()
    (part / "moved.ckpt").rename(part / "away.ckpt")
    (part / "new.ckpt").write_text("new")
    changes.start()
    lines.wait_for("created", "part/new.ckpt")
    changes.close()
    assert sorted(lines.all()) == [
        ("created", "part/new.ckpt"),
        ("deleted", "part/gone.ckpt"),
        ("modified", "part/changed.ckpt"),
        ("moved", "part/moved.ckpt"),
    ]
    events = {path: facts["event"] for path, facts in lines.final().items()}
    assert events == {
        "part/away.ckpt": "created",
        "part/changed.ckpt": "modified",
        "part/new.ckpt": "created",
    }


def test_an_atomic_write_shows_as_its_file_alone(tmp_path: Path) -> None:
    with watching(tmp_path) as (_, lines, part):
        write_bytes(part / "a.ckpt", b"first")
        assert lines.wait_for("created", "part/a.ckpt")["size"] == 5
        write_bytes(part / "a.ckpt", b"second")
        assert lines.wait_for("modified", "part/a.ckpt")["size"] == 6
        (part / ".tmp-1.ckpt").write_bytes(b"the same with a suffix")
        (part / ".tmp-1.ckpt").rename(part / "b.ckpt")
        lines.wait_for("created", "part/b.ckpt")
    assert {path for _, path in lines.all()} == {"part/a.ckpt", "part/b.ckpt"}


def test_a_file_that_came_and_went_at_once_is_reported(tmp_path: Path) -> None:
    heard = []
    with watching(tmp_path) as (changes, lines, part):
        changes.listen(lambda path, event: heard.append((path.name, event)), [".ckpt"])
        (part / "0.ckpt").write_bytes(b"")
        lines.wait_for("created", "part/0.ckpt")  # it is watched by now
        for number in range(1, 21):
            (part / f"{number}.ckpt").write_bytes(b"")
            (part / f"{number}.ckpt").unlink()
        lines.wait_for("deleted", "part/20.ckpt")
    for number in range(1, 21):
        (created,) = lines.of("created", f"part/{number}.ckpt")
        was_there = created["size"] is not None  # else no listener could do anything with it
        assert ((f"{number}.ckpt", "created") in heard) == was_there
        assert (f"{number}.ckpt", "deleted") in heard
    assert list(lines.final()) == ["part/0.ckpt"]


def test_suffixes_count_for_all_parts_whatever_their_case_and_when_they_are_named(
    tmp_path: Path,
) -> None:
    with watching(tmp_path, (".ckpt",)) as (changes, lines, part):
        (part / "a.Ckpt").write_text("")
        lines.wait_for("created", "part/a.Ckpt")
        (part / "a.txt").write_text("of no held suffix yet")
        changes.hold(tmp_path / "logs", [".TXT"], observe=True)
        lines.wait_for("created", "part/a.txt")
        (tmp_path / "logs" / "b.ckpt").write_text("")
        lines.wait_for("created", "logs/b.ckpt")
        changes.hold(tmp_path / "cache", [".bin"], observe=False)
        (tmp_path / "cache" / "c.ckpt").write_text("not observed")
        (part / "d.bin").write_text("")
        lines.wait_for("created", "part/d.bin")
    assert sorted(lines.final()) == ["logs/b.ckpt", "part/a.Ckpt", "part/a.txt", "part/d.bin"]


def test_a_suffix_without_its_dot_is_refused(tmp_path: Path) -> None:
    changes = FileChanges(print)
    with pytest.raises(UsageError, match=r"'ckpt' does not begin with a dot; say '\.ckpt'"):
        changes.hold(tmp_path / "part", ["ckpt"], observe=True)
    with pytest.raises(UsageError, match="does not begin with a dot"):
        changes.listen(print, "png")


def test_a_log_file_that_is_written_all_the_time_is_a_few_lines(tmp_path: Path) -> None:
    with watching(tmp_path) as (_, lines, part), (part / "a.log").open("w") as log:
        lines.wait_for("created", "part/a.log")
        for _ in range(1000):
            log.write("a line\n")
            log.flush()
        lines.wait_for("modified", "part/a.log")
        for _ in range(1000):
            log.write("a line\n")
            log.flush()
    assert 2 <= len(lines.all()) < 10  # the tenth would come after eight minutes
    assert lines.final()["part/a.log"]["size"] == 7 * 2000


def test_folders_made_moved_and_removed_in_a_part_are_followed(tmp_path: Path) -> None:
    with watching(tmp_path) as (_, lines, part):
        (part / "a" / "b").mkdir(parents=True)
        (part / "a" / "b" / "1.ckpt").write_text("1")
        lines.wait_for("created", "part/a/b/1.ckpt")
        (part / "a").rename(part / "z")
        assert lines.wait_for("moved", "part/a/b/1.ckpt")["to"] == str(part / "z/b/1.ckpt")
        (part / "z" / "b" / "2.ckpt").write_text("2")
        lines.wait_for("created", "part/z/b/2.ckpt")
        (part / "z").rename(tmp_path / "outside")
        lines.wait_for("deleted", "part/z/b/1.ckpt")
        (tmp_path / "outside" / "b" / "3.ckpt").write_text("not in the part")
        (tmp_path / "outside").rename(part / "back")
        lines.wait_for("created", "part/back/b/1.ckpt")
        assert not lines.of("created", "part/z/b/3.ckpt")
        shutil.rmtree(part / "back")
        lines.wait_for("deleted", "part/back/b/1.ckpt")
    assert lines.final() == {}


@pytest.mark.parametrize("take_away", [shutil.rmtree, lambda part: part.rename(f"{part}.old")])
def test_a_part_that_is_taken_away_and_made_again_is_watched_again(
    tmp_path: Path, take_away: Callable[[Path], object]
) -> None:
    with watching(tmp_path) as (_, lines, part):
        (part / "1.ckpt").write_text("1")
        lines.wait_for("created", "part/1.ckpt")
        take_away(part)
        lines.wait_for("deleted", "part/1.ckpt")
        part.mkdir()
        (part / "2.ckpt").write_text("2")
        lines.wait_for("created", "part/2.ckpt")
        (part / "3.ckpt").write_text("3")
        lines.wait_for("created", "part/3.ckpt")
    assert sorted(lines.final()) == ["part/2.ckpt", "part/3.ckpt"]


@pytest.mark.parametrize("order", [["a", "a/b"], ["a/b", "a"]])
def test_a_part_inside_another_is_reported_once(tmp_path: Path, order: list[str]) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    with watching(tmp_path, part=order[0]) as (changes, lines, _):
        (tmp_path / "a" / "b" / "1.ckpt").write_text("1")
        lines.wait_for("created", "a/b/1.ckpt")
        changes.hold(tmp_path / order[1], [], observe=True)
        for name in ("a/2.ckpt", "a/b/3.ckpt"):
            (tmp_path / name).write_text("x")
            lines.wait_for("created", name)
    assert sorted(path for event, path in lines.all() if event == "created") == [
        "a/2.ckpt",
        "a/b/1.ckpt",
        "a/b/3.ckpt",
    ]
    assert sorted(lines.final()) == ["a/2.ckpt", "a/b/1.ckpt", "a/b/3.ckpt"]


def test_links_are_recorded_and_not_followed_out_of_the_part(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "big.ckpt").write_text("not of this run")
    with watching(tmp_path) as (_, lines, part):
        (part / "folder").symlink_to(tmp_path / "elsewhere")
        (part / "last.ckpt").symlink_to("1.ckpt")
        lines.wait_for("created", "part/last.ckpt")
        (tmp_path / "elsewhere" / "more.ckpt").write_text("x")
    assert list(lines.final()) == ["part/last.ckpt"]
    assert lines.final()["part/last.ckpt"]["link"] == "1.ckpt"


def test_a_part_that_is_a_link_itself_is_followed(tmp_path: Path) -> None:
    (tmp_path / "scratch").mkdir()
    (tmp_path / "part").symlink_to(tmp_path / "scratch")
    with watching(tmp_path) as (_, lines, part):
        (part / "0.ckpt").write_text("0")
        lines.wait_for("created", "part/0.ckpt")  # it is watched by now
        (part / "sub").mkdir()
        (part / "sub" / "1.ckpt").write_text("1")
        lines.wait_for("created", "part/sub/1.ckpt")
    assert sorted(lines.final()) == ["part/0.ckpt", "part/sub/1.ckpt"]


@pytest.mark.parametrize("name", ["名 字\n'\".ckpt", "\udcff.ckpt", "🙂" * 60 + ".ckpt", ".ckpt"])
def test_names_are_whatever_a_file_system_takes(tmp_path: Path, name: str) -> None:
    with watching(tmp_path) as (_, lines, part):
        (part / name).write_text("x")
        lines.wait_for("created", f"part/{name}")
    assert list(lines.final()) == [f"part/{name}"]


def test_a_tree_that_grows_while_it_is_looked_at_blinds_nobody_who_takes_warnings_for_errors(
    tmp_path: Path,
) -> None:
    with watching(tmp_path) as (_, lines, part):
        (part / "0.ckpt").write_text("x")
        lines.wait_for("created", "part/0.ckpt")
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            for number in range(100):
                (part / f"{number}" / "a" / "b" / "c").mkdir(parents=True)
            (part / "1.ckpt").write_text("x")
            lines.wait_for("created", "part/1.ckpt")
