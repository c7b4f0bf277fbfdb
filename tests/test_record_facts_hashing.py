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


def record(root: Path) -> None:
    """Make an experiment root that holds something."""
    (root / ".thexp").mkdir(parents=True)
    (root / ".thexp" / "root.json").write_text("{}")
    (root / "journal").write_bytes(os.urandom(8))


@pytest.mark.parametrize("target", [".", "..", "../..", "../../data/./deep", "/", "deep/up"])
def test_a_link_to_the_folder_or_to_one_that_holds_it_is_skipped(
    tmp_path: Path, target: str
) -> None:
    data = tmp_path / "data" / "deep"
    (data / "a").mkdir(parents=True)
    (data / "a" / "x").write_bytes(b"1")
    alone = hash_folder(data, never)
    (data / "a" / "up").symlink_to(data / target if target[0] == "." else target)
    if target == "deep/up":  # a link to a link
        (data / "deep").symlink_to(tmp_path)
        (data / "a" / "up").unlink()
        (data / "a" / "up").symlink_to(data / "deep")
    links = 2 if target == "deep/up" else 1
    assert hash_folder(data, never) == alone._replace(skipped=links)
    record(tmp_path / "experiment")  # what goes on around it changes nothing
    assert hash_folder(data, never) == alone._replace(skipped=links)


def test_links_to_files_and_to_other_folders_are_followed(tmp_path: Path) -> None:
    for name in ("data", "server/deep"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "server" / "deep" / "x").write_bytes(b"xx")
    (tmp_path / "data" / "one").symlink_to(tmp_path / "server" / "deep" / "x")
    (tmp_path / "data" / "all").symlink_to("../server")
    found = hash_folder(tmp_path / "data", never)
    assert (found.files, found.bytes, found.skipped) == (2, 4, 0)


@pytest.mark.parametrize("is_linked", [True, False])
def test_an_experiment_root_in_a_folder_is_skipped(tmp_path: Path, is_linked: bool) -> None:
    data, root = tmp_path / "data", tmp_path / ("elsewhere" if is_linked else "data/experiment")
    data.mkdir()
    (data / "x").write_bytes(b"1")
    alone = hash_folder(data, never)
    record(root)
    if is_linked:
        (data / "experiment").symlink_to(root)
    assert hash_folder(data, never) == alone._replace(skipped=1)
    (root / "journal").write_bytes(b"more")
    assert hash_folder(data, never) == alone._replace(skipped=1)
