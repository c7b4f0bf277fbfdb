"""The hash of a file and that of a folder, and what it is when they change meanwhile."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thexp_pl.record.facts import hashing
from thexp_pl.record.facts.hashing import ChangedError, StoppedError, hash_file, hash_folder


def never() -> bool:
    return False


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


names = st.text(st.sampled_from("ab.-0 /\n数\\"), min_size=1, max_size=12)


@settings(max_examples=60)
@given(st.dictionaries(names, st.binary(max_size=20), max_size=8))
def test_a_folder_has_one_hash_over_names_and_contents(tmp_path_factory, tree) -> None:
    top = tmp_path_factory.mktemp("folder")
    files: dict[bytes, bytes] = {}
    for name, content in tree.items():
        path = Path(os.path.normpath(top / name.lstrip("/.")))
        if not path.is_relative_to(top) or path == top:
            continue
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        except OSError:  # a file is where a folder would have to be
            continue
        files[os.fsencode(path.relative_to(top))] = content
    lines = [b"%s\0%d\0%s\n" % (n, len(c), sha(c).encode()) for n, c in sorted(files.items())]
    found = hash_folder(top, never)
    assert found == (len(files), sum(map(len, files.values())), 0, sha(b"".join(lines)))


def once(action: Callable[[], object]) -> Callable[[], bool]:
    """Something that happens in the midst of the reading."""
    steps = iter([action])

    def is_stopped() -> bool:
        for step in steps:
            step()
        return False

    return is_stopped


@pytest.mark.parametrize("way", ["append", "overwrite", "replace", "remove"])
def test_a_file_that_changes_while_it_is_hashed_has_no_hash(
    tmp_path: Path, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hashing, "_BLOCK", 10)
    file, other = tmp_path / "file", tmp_path / "other"
    for path in (file, other):
        path.write_bytes(b"x" * 100)
        os.utime(path, (1, 1))
    changes: dict[str, Callable[[], object]] = {
        "append": lambda: file.write_bytes(b"x" * 101),
        "overwrite": lambda: file.write_bytes(b"y" * 100),
        "replace": lambda: other.replace(file),
        "remove": file.unlink,
    }
    with pytest.raises(ChangedError):
        hash_file(file, once(changes[way]))


def test_a_folder_that_files_come_into_while_it_is_hashed_has_no_hash(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "a").write_bytes(b"1")
    os.utime(tmp_path / "deep", (1, 1))
    with pytest.raises(ChangedError):
        hash_folder(tmp_path, once(lambda: (tmp_path / "deep" / "b").write_bytes(b"2")))


def test_a_reading_that_is_told_to_stop_stops_within_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x" * 10)
    for read in (lambda: hash_file(tmp_path / "file", lambda: True),
                 lambda: hash_folder(tmp_path, lambda: True)):  # fmt: skip
        with pytest.raises(StoppedError):
            read()
