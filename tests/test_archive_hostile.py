"""Archives that are torn, forged or hostile: one line, and nothing left anywhere."""

from __future__ import annotations

import io
import os
import stat
import zipfile
from pathlib import Path
from typing import Any

import pytest
from archive_helpers import KEY, MANIFEST, forged, own
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from record_code_helpers import write
from upkeep_helpers import listing, record, with_code

from thexp_pl.errors import RecordError
from thexp_pl.upkeep import export_runs, import_runs
from thexp_pl.upkeep.archive.layout import stays_inside

ROUNDS = int(os.environ.get("THEXP_PL_FUZZ", "60"))
FUZZ = settings(
    max_examples=ROUNDS,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def refused(top: Path, data: bytes) -> str:
    """Import what must be refused, and see that nothing was left beside the archive."""
    (top / "run.zip").write_bytes(data)
    before = sorted(top.rglob("*")), listing(top)
    with pytest.raises(RecordError) as caught:
        import_runs(top / "run.zip", top / "deep" / "root")
    assert (sorted(top.rglob("*")), listing(top)) == before
    assert str(caught.value).isprintable()
    return str(caught.value)


@pytest.mark.parametrize(
    "name",
    [
        "../evil",
        "/etc/evil",
        "C:/evil",
        own("../../../../evil"),
        own("a/../../b"),
        own("a\\..\\b"),
        own("./a"),
        own("a//b"),
        own("x" * 300),
        "runs/a/other/run.json",
        "runs/../a",
    ],
)
def test_a_name_that_leads_elsewhere_is_refused(tmp_path: Path, name: str) -> None:
    refused(tmp_path, forged({own("run.json"): MANIFEST, name: b"x"}))


@pytest.mark.parametrize("name", ["..", ".", "", "a/b", ".thexp", "a\n", "\x1b[31m", "x" * 300])
def test_an_experiment_or_a_key_that_is_no_name_is_refused(tmp_path: Path, name: str) -> None:
    for experiment, key in ((name, KEY), ("a", name)):
        files = {f"runs/{experiment}/{key}/run.json": MANIFEST}
        refused(tmp_path, forged(files, runs=((experiment, key),)))


@pytest.mark.parametrize("target", ["/etc", "../../..", "a/../../x", "", "..\\x"])
def test_a_link_that_leads_out_of_its_run_is_refused(tmp_path: Path, target: str) -> None:
    files = {own("run.json"): MANIFEST}
    refused(tmp_path, forged(files, links=((own("link"), target),)))


def test_nothing_is_written_through_a_link(tmp_path: Path) -> None:
    files = {own("run.json"): MANIFEST, own("link/file"): b"x"}
    refused(tmp_path, forged(files, links=((own("link"), "modules"),)))


@pytest.mark.parametrize(
    "links",
    [
        ("a", ".", "a/a/a/out", "../../../victim"),
        ("a", ".", "a/a/out", "../../victim", "out/made/by/import", "x"),
        ("run.json/x", "y"),
        ("l", "x", "l/x", "y"),
        ("a/b", "x", "a/b-c", "y", "a/b/d", "z"),
    ],
)
def test_what_is_below_a_link_or_a_file_is_refused(tmp_path: Path, links: tuple[str, ...]) -> None:
    (tmp_path / "victim").mkdir()
    pairs = tuple((own(links[at]), links[at + 1]) for at in range(0, len(links), 2))
    told = refused(tmp_path, forged({own("run.json"): MANIFEST}, links=pairs))
    assert "which is no folder" in told


def test_links_that_lead_through_one_another_stay_in_their_run(tmp_path: Path) -> None:
    links = (("a/b", ".."), ("c", "a/b/a"), ("a.b/d", "../c/b/run.json"))
    data = forged({own("run.json"): MANIFEST}, links=tuple((own(p), to) for p, to in links))
    (tmp_path / "run.zip").write_bytes(data)
    (paths,) = import_runs(tmp_path / "run.zip", tmp_path / "root").runs
    for path, _ in links:
        assert (paths.folder / path).resolve().is_relative_to(paths.folder)
    assert (paths.folder / "a.b" / "d").read_bytes() == MANIFEST


@pytest.mark.parametrize("content", [b"\0\0no json", b"[]", b'{"schema": 99}', b"{}"])
def test_a_run_whose_manifest_cannot_be_used_is_refused(tmp_path: Path, content: bytes) -> None:
    assert "run.json" in refused(tmp_path, forged({own("run.json"): content}))


@given(parts=st.lists(st.sampled_from(["..", "a", "b", "."]), min_size=1, max_size=6))
def test_a_link_that_stays_inside_does_so_as_the_system_sees_it(parts: list[str]) -> None:
    target = "/".join(parts)
    if stays_inside("x/y/link", target):
        assert not os.path.normpath(f"x/y/{target}").startswith("..")


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFCHR, stat.S_IFIFO, stat.S_IFDIR])
def test_an_entry_that_is_no_file_is_refused(tmp_path: Path, kind: int) -> None:
    data = io.BytesIO(forged({own("run.json"): MANIFEST}))
    with zipfile.ZipFile(data, "a") as archive:
        entry = zipfile.ZipInfo(own("odd"))
        entry.external_attr = (kind | 0o644) << 16
        archive.writestr(entry, "/etc/passwd")
    assert "no regular file" in refused(tmp_path, data.getvalue())


def test_a_name_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    data = io.BytesIO(forged({own("run.json"): MANIFEST}))
    with (
        zipfile.ZipFile(data, "a") as archive,
        pytest.warns(UserWarning, match="Duplicate name"),
    ):
        archive.writestr(own("run.json"), MANIFEST)
    assert "twice" in refused(tmp_path, data.getvalue())


def test_an_encrypted_entry_is_refused(tmp_path: Path) -> None:
    data = bytearray(forged({own("run.json"): MANIFEST}))
    data[data.index(b"PK\x01\x02") + 8] |= 1  # the flags in the table at the end
    assert "encrypted" in refused(tmp_path, bytes(data))


def test_a_size_that_is_not_the_declared_one_is_refused(tmp_path: Path) -> None:
    def grow(table: dict[str, Any]) -> None:
        table["files"][0]["bytes"] += 1

    refused(tmp_path, forged({own("run.json"): MANIFEST}, change=grow))


def test_a_hash_that_does_not_fit_is_refused_and_the_file_named(tmp_path: Path) -> None:
    def forge(table: dict[str, Any]) -> None:
        table["files"][1]["sha256"] = "0" * 64

    files = {own("run.json"): MANIFEST, own("x"): b"x"}
    assert own("x") in refused(tmp_path, forged(files, change=forge))


def test_what_would_become_far_too_large_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    data = bytearray(forged({own("run.json"): b"0" * 100_000}))
    at = data.index(b"PK\x01\x02") + 24  # the size in the table at the end
    data[at : at + 4] = (3_000_000_000).to_bytes(4, "little")
    assert "would become 3,000," in refused(tmp_path, bytes(data))


@pytest.mark.parametrize("content", [b"", b"no zip", b"PK\x05\x06" + b"\0" * 18])
def test_what_is_no_archive_is_refused(tmp_path: Path, content: bytes) -> None:
    refused(tmp_path, content)


def test_a_number_of_thousands_of_digits_is_refused_in_plain_words(tmp_path: Path) -> None:
    data = forged({own("run.json"): MANIFEST}, change=lambda table: table.update(more="HERE"))
    packed = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(packed, "w") as new:
        for name in old.namelist():
            new.writestr(name, old.read(name).replace(b'"HERE"', b"1" * 5000))
    told = refused(tmp_path, packed.getvalue())
    assert "sys." not in told


def test_a_later_version_says_so(tmp_path: Path) -> None:
    files = {own("run.json"): MANIFEST}
    told = refused(tmp_path, forged(files, change=lambda table: table.update(version=2)))
    assert "update thexp_pl" in told


def test_a_pipe_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(RecordError, match="no regular file"):
        import_runs(tmp_path / "pipe", tmp_path / "root")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A real archive, with code."""
    top = tmp_path_factory.mktemp("whole")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("THEXP_HOME", str(top / "home"))
        write(top / "project", {"train.py": "x" * 300})
        runs = [with_code(top / "root", top / "project"), record(top / "root")]
        export_runs(runs, top / "run.zip")
    return (top / "run.zip").read_bytes()


def imports_or_refuses(top: Path, data: bytes) -> None:
    (top / "run.zip").write_bytes(data)
    told = None
    try:
        import_runs(top / "run.zip", top / "inner" / "root")
    except RecordError as error:
        told = str(error)
    assert (told is None) == (top / "inner").exists()
    assert told is None or told.isprintable()
    outside = {path.name for path in top.iterdir()}
    assert outside <= {"run.zip", "inner"}


@FUZZ
@given(at=st.floats(0, 1, exclude_max=True), byte=st.integers(1, 255), cut=st.booleans())
def test_a_changed_byte_or_a_torn_end_never_does_harm(
    tmp_path_factory: pytest.TempPathFactory, whole: bytes, at: float, byte: int, cut: bool
) -> None:
    place = int(at * len(whole))
    data = bytearray(whole)
    data[place] ^= byte
    imports_or_refuses(tmp_path_factory.mktemp("fuzz"), whole[:place] if cut else bytes(data))


@FUZZ
@given(
    name=st.text(max_size=30),
    target=st.text(max_size=20),
    experiment=st.text(max_size=8),
    table=st.recursive(
        st.none() | st.integers() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
        max_leaves=5,
    ),
    field=st.sampled_from(["runs", "files", "links", "version", "none"]),
)
def test_hostile_names_and_tables_never_do_harm(
    tmp_path_factory: pytest.TempPathFactory,
    name: str,
    target: str,
    experiment: str,
    table: Any,
    field: str,
) -> None:
    try:
        data = forged(
            {f"runs/{experiment}/{KEY}/run.json": MANIFEST, own(name): b"x"},
            links=((f"runs/{experiment}/{KEY}/link", target),),
            runs=((experiment, KEY),),
            change=lambda all_of_it: all_of_it.update({field: table}) if field != "none" else None,
        )
    except (UnicodeEncodeError, ValueError):
        return  # no zip can have that name
    imports_or_refuses(tmp_path_factory.mktemp("fuzz"), data)
