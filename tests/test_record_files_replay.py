"""Whatever happens to files, and whatever of it is seen: the journal ends with what is there."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from record_files_helpers import Lines, sha256

from thexp_pl.record.files import FileChanges

SUFFIXES = (".ckpt", ".log")
PARTS = ("a", "a/in", "b")
files = st.builds(
    "{}/{}{}{}".format,
    st.sampled_from([*PARTS, "b/deep/er"]),
    st.sampled_from("xy"),
    st.integers(0, 1),
    st.sampled_from([".ckpt", ".CKPT", ".log", ".tmp", ""]),
)
folders = st.sampled_from(["a", "a/in", "b", "b/deep", "b/deep/er", "b/other"])
steps = st.lists(
    st.tuples(st.sampled_from(["write", "append"]), files, st.binary(max_size=3))
    | st.tuples(st.just("delete"), files)
    | st.tuples(st.just("move"), files, files)
    | st.tuples(st.just("move"), folders, folders)
    | st.tuples(st.just("remove"), folders)
    | st.tuples(st.just("wait"))
    | st.tuples(st.just("hold"), st.sampled_from(PARTS)),
    max_size=12,
)


def happen(root: Path, step: tuple[object, ...], marks: int, lines: Lines) -> None:
    """Do one step; what cannot be done, such as moving what is not there, is left out."""
    action, *what = step
    paths = [root / each for each in what if isinstance(each, str)]
    try:
        if action in ("write", "append"):
            paths[0].parent.mkdir(parents=True, exist_ok=True)
            with paths[0].open("wb" if action == "write" else "ab") as file:
                file.write(bytes(what[1]))  # type: ignore[call-overload]
        elif action == "delete":
            paths[0].unlink()
        elif action == "move":
            paths[0].rename(paths[1])
        elif action == "remove":
            shutil.rmtree(paths[0])
        elif action == "wait":  # until all before it is seen
            (root / "mark" / f"{marks}.ckpt").touch()
            lines.wait_for("created", f"mark/{marks}.ckpt")
    except OSError:
        pass


def there(root: Path) -> dict[str, Path]:
    """The files that are recorded where they are held."""
    return {
        str(path): path
        for part in ("a", "b", "mark")
        for path in (root / part).rglob("*")
        if path.is_file() and path.suffix.lower() in SUFFIXES
    }


def state(file: Path) -> tuple[int, str]:
    """What tells whether a file was touched."""
    return file.stat().st_mtime_ns, sha256(file)


@given(before=steps, unwatched=steps, watched=steps)
@settings(max_examples=100)
def test_the_journal_leads_from_what_was_held_to_what_is_left(
    before: list[tuple[object, ...]],
    unwatched: list[tuple[object, ...]],
    watched: list[tuple[object, ...]],
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        lines = Lines(root)
        for step in before:
            happen(root, step if step[0] != "wait" else ("",), 0, lines)
        changes = FileChanges(lines.report, lines.fault)
        held = there(root)
        content = {path: state(file) for path, file in held.items()}
        for part in ("mark", *PARTS):
            changes.hold(root / part, SUFFIXES, observe=True)
        for step in unwatched:
            happen(root, step if step[0] != "wait" else ("",), 0, lines)
        changes.start()
        for number, step in enumerate(watched):
            happen(root, step, number, lines)
            if step[0] == "hold":
                changes.hold(root / str(step[1]), [], observe=True)
        changes.close()

        left = there(root)
        assert lines.replay(held) == set(left)
        final = {facts["path"]: facts for facts in lines.final().values()}
        for path, file in left.items():
            if path in final:
                assert final[path]["event"] == ("modified" if path in held else "created")
                assert final[path]["size"] == file.stat().st_size
                assert final[path]["sha256"] == sha256(file)
            else:  # it was never touched
                assert content[path] == state(file)
        assert final.keys() <= left.keys()
        assert not lines.faults
