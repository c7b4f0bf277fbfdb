"""What is recorded of each file at a run's end, and what bounds it."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import textwrap
import threading
from pathlib import Path
from typing import Any

import pytest
from record_files_helpers import Lines, sha256, watching

from thexp_pl.record.files import FileChanges
from thexp_pl.record.files.stamps import Stamp


def final_of(tmp_path: Path, fill: Any, suffixes: tuple[str, ...] = (".ckpt",)) -> dict[str, Any]:
    """What is recorded at the end of a part that was filled before the start."""
    lines = Lines(tmp_path)
    changes = FileChanges(lines.report, lines.fault)
    changes.hold(tmp_path / "part", suffixes, observe=True)
    fill(tmp_path / "part")
    changes.start()
    changes.close()
    assert not lines.faults
    return {Path(path).name: facts for path, facts in lines.final().items()}


def sidecar(path: Path, **record: Any) -> None:
    """Write a sidecar as a Saver does, after its file."""
    Path(f"{path}.json").write_text(json.dumps({"loss": 0.5, "_record": record}))


def test_a_checkpoint_is_not_read_again_where_its_sidecar_knows_its_hash(tmp_path: Path) -> None:
    def fill(part: Path) -> None:
        (part / "1.ckpt").write_bytes(b"weights")
        sidecar(part / "1.ckpt", bytes=7, sha256="a" * 64)

    assert final_of(tmp_path, fill)["1.ckpt"]["sha256"] == "a" * 64


@pytest.mark.parametrize(
    "record",
    [
        {"bytes": 8, "sha256": "a" * 64},
        {"bytes": 7.0, "sha256": "a" * 64},
        {"bytes": 7, "sha256": "a" * 64 + "\n"},
        {"bytes": 7, "sha256": 7},
        {"bytes": 7},
        None,
    ],
)
def test_a_sidecar_that_is_not_of_the_file_is_not_believed(
    tmp_path: Path, record: dict[str, Any] | None
) -> None:
    def fill(part: Path) -> None:
        (part / "1.ckpt").write_bytes(b"weights")
        if record is None:
            Path(part / "1.ckpt.json").write_text("[")
        else:
            sidecar(part / "1.ckpt", **record)

    assert final_of(tmp_path, fill)["1.ckpt"]["sha256"] == sha256(tmp_path / "part" / "1.ckpt")


def test_a_file_written_after_its_sidecar_is_read(tmp_path: Path) -> None:
    def fill(part: Path) -> None:
        sidecar(part / "1.ckpt", bytes=7, sha256="a" * 64)
        os.utime(part / "1.ckpt.json", (1, 1))
        (part / "1.ckpt").write_bytes(b"weights")

    assert final_of(tmp_path, fill)["1.ckpt"]["sha256"] == sha256(tmp_path / "part" / "1.ckpt")


def test_files_beyond_the_limit_are_listed_without_their_hash(tmp_path: Path) -> None:
    def fill(part: Path) -> None:
        (part / "small.ckpt").write_bytes(b"x")
        (part / "huge.ckpt").touch()
        os.truncate(part / "huge.ckpt", 1 << 40)

    found = final_of(tmp_path, fill)
    assert found["small.ckpt"]["sha256"] == sha256(tmp_path / "part" / "small.ckpt")
    assert "sha256" not in found["huge.ckpt"]
    assert found["huge.ckpt"]["size"] == 1 << 40
    assert "more than 1,073,741,824 bytes are left" in found["huge.ckpt"]["unhashed"]


def test_what_is_no_file_is_not_waited_for(tmp_path: Path) -> None:
    def fill(part: Path) -> None:
        os.mkfifo(part / "pipe.ckpt")
        (part / "folder.ckpt").mkdir()
        (part / "loop.ckpt").symlink_to("loop.ckpt")

    assert list(final_of(tmp_path, fill)) == ["loop.ckpt"]


def test_times_that_no_calendar_has_are_none() -> None:
    assert Stamp(1, 1, 10**27, False).time is None
    assert str(Stamp(1, 1, 0, False).time).startswith("19")  # 1969 or 1970, as the time zone has it


def test_a_part_that_is_gone_at_the_end_holds_nothing(tmp_path: Path) -> None:
    with watching(tmp_path) as (_, lines, part):
        (part / "1.ckpt").touch()
        lines.wait_for("created", "part/1.ckpt")
        (part / "1.ckpt").unlink()
        part.rmdir()
    assert lines.all() == [("created", "part/1.ckpt"), ("deleted", "part/1.ckpt")]
    assert lines.final() == {}


def test_more_files_than_are_told_of_do_not_fill_the_journal(tmp_path: Path) -> None:
    lines = Lines(tmp_path)
    changes = FileChanges(lines.report, lines.fault)
    changes.hold(tmp_path / "part", [".ckpt"], observe=True)
    for number in range(10_100):
        (tmp_path / "part" / f"{number}.ckpt").touch()
    changes.start()
    lines.wait(lambda: lines.events and lines.events[-1][0] == "unwatched")
    assert "10,000 changes are told of, which is all that is kept" in lines.remarks()[0]
    changes.close()
    assert len(lines.final()) == 10_000
    assert len(lines.events) == 20_000 + len(lines.remarks())
    assert "10,100 files are left, of which the newest 10,000 are told of" in lines.remarks()


def test_files_that_are_too_many_to_look_at_are_not_taken_for_deleted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    part = tmp_path / "part"
    part.mkdir()
    for number in range(20):
        (part / f"{number}.ckpt").touch()
    lines = Lines(tmp_path)
    changes = FileChanges(lines.report, lines.fault)
    changes.hold(part, [".ckpt"], observe=True)
    monkeypatch.setattr("thexp_pl.record.files.stamps.MAX_FILES", 10)
    changes.start()
    changes.close()
    assert [event for event, _ in lines.events] == ["unwatched"]
    assert lines.remarks()[0].startswith("there are more files than")


def test_a_file_that_is_still_written_has_no_hash_of_something_else(tmp_path: Path) -> None:
    stop = threading.Event()

    def write(path: Path) -> None:
        with path.open("ab", buffering=0) as file:
            while not stop.is_set():
                file.write(b"more" * 1000)

    with watching(tmp_path) as (_, lines, part):
        path = part / "1.ckpt"
        path.write_bytes(b"x" * (32 << 20))
        writer = threading.Thread(target=write, args=(path,))
        writer.start()
    stop.set()
    writer.join()
    found = lines.final()["part/1.ckpt"]
    if "sha256" in found:
        begin = path.read_bytes()[: found["size"]]
        assert found["sha256"] == hashlib.sha256(begin).hexdigest()
    else:
        assert found["unhashed"] == "it was being written"


def script(tmp_path: Path, body: str) -> subprocess.CompletedProcess[str]:
    begin = """
        import os, resource, sys, time
        from pathlib import Path
        from record_files_helpers import Lines, sha256
        from thexp_pl.record.files import FileChanges
        folder = Path(sys.argv[1])
        lines = Lines(folder)
        changes = FileChanges(lines.report, lines.fault)
        changes.hold(folder / "part", [".ckpt"], True)
        """
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(begin) + textwrap.dedent(body), str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=100,
        cwd=Path(__file__).parent,
    )


def test_where_nothing_can_be_watched_the_end_is_recorded_and_one_fault_told(
    tmp_path: Path,
) -> None:
    done = script(
        tmp_path,
        """
        import thexp_pl.record.files.watch
        opened = len(os.listdir("/proc/self/fd"))
        resource.setrlimit(resource.RLIMIT_NOFILE, (opened - 1, 4096))
        changes.start()
        lines.wait(lambda: lines.faults)
        resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096))
        changes.hold(folder / "more", [".ckpt"], True)
        (folder / "more" / "1.ckpt").write_text("x")
        changes.close()
        (fault,) = lines.faults
        print(fault)
        (remark,) = lines.remarks()
        assert lines.final()["more/1.ckpt"]["sha256"] == sha256(folder / "more" / "1.ckpt")
        """,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "file changes are recorded at the end of the run only" in done.stdout
    assert "raise fs.inotify.max_user_watches" in done.stdout


def test_a_flood_of_changes_is_not_watched_and_its_end_recorded(tmp_path: Path) -> None:
    done = script(
        tmp_path,
        """
        changes.start()
        (folder / "part" / "0.ckpt").touch()
        lines.wait_for("created", "part/0.ckpt")
        until = time.monotonic() + 180
        while not lines.remarks() and time.monotonic() < until:
            for number in range(1000):
                (folder / "part" / "other").write_text("x")
                (folder / "part" / "other").unlink()
        (folder / "part" / "0.ckpt").write_text("changed")
        changes.close()
        print(*lines.remarks())
        assert lines.final()["part/0.ckpt"]["size"] == 7
        """,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "changes a second are too many: for 30 s nothing is watched" in done.stdout
