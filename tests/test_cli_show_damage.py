"""`thexp-pl show` of runs that something has damaged, or that somebody means harm with."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typed_commands import Typed, record, thexp_pl

from thexp_pl.cli.output.tables import printable
from thexp_pl.record import Experiment

__all__ = ["thexp_pl"]

FUZZ = int(os.environ.get("THEXP_PL_FUZZ", "30"))  # examples of each property
HOSTILE = [
    "[red]x[/red]",
    "[/]",
    "a\x1b[31mb",
    "\x1b]0;title\x07",
    "a\rb",
    "\u202egnp.exe",
    ":smile:",
    "<script>alert(1)</script>",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_notes_and_values_are_shown_as_text(thexp_pl: Typed, name: str) -> None:
    with Experiment("./experiment", "plain", code=False, console=False) as exp:
        exp.params = {name: name}
        exp.log_metrics(0, 0, {name: 1.0})
        exp.note(name)
        exp.tag(name)
    exp.paths.console.parent.mkdir(exist_ok=True)
    exp.paths.console.write_text(name)
    for words in ([], ["--plot", name], ["--metrics", name], ["--follow"], ["--log", "1"]):
        text = thexp_pl("show", "@last", *words)
        assert all(line.isprintable() for line in text.splitlines()), words
        assert words == ["--log", "1"] or printable(name) in text, words
    rows = thexp_pl("show", "@last", "--csv").splitlines()
    assert all(row.isprintable() for row in rows)
    facts = thexp_pl.json("show", "@last")
    assert facts["params"] == {name: name}
    assert list(facts["metrics"]) == [name]


@pytest.mark.parametrize("name", ["[red]x", "[bold]", ":smile:", "手写数字 👩‍🔬"])
def test_an_experiments_name_is_shown_as_it_is(thexp_pl: Typed, name: str) -> None:
    record(name)
    assert name in thexp_pl("show", "@last")


DAMAGED = {
    "nothing": b"",
    "torn": b'{"schema": 2, "key": ',
    "list": b"[]",
    "zeros": bytes(100),
    "deep": b"[" * 10_000 + b"]" * 10_000,
    "later": b'{"schema": 999}',
    "html": b"<html><script>alert(1)</script></html>",
    "escapes": b'{"schema": "\\u001b[31m"}',
}


@pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_manifest_is_shown_as_damaged_with_what_is_wrong(
    thexp_pl: Typed, content: bytes
) -> None:
    exp = record()
    exp.paths.manifest.write_bytes(content)
    text = thexp_pl("show", exp.key)
    assert "status      damaged" in text
    assert "damage      run.json cannot be used: " in text
    assert "metrics.csv" in text
    assert all(line.isprintable() for line in text.splitlines())
    facts = thexp_pl.json("show", exp.key)
    assert (facts["status"], bool(facts["damage"])) == ("damaged", True)
    assert thexp_pl("show", exp.key, "--csv").count("\n") == 4  # these are whole


def test_a_manifest_that_is_gone_or_no_file_is_damage(thexp_pl: Typed) -> None:
    exp = record()
    exp.paths.manifest.unlink()
    exp.paths.manifest.mkdir()
    assert "damage      run.json cannot be read: not a regular file" in thexp_pl("show", exp.key)


def test_names_of_a_million_letters_and_thousands_of_values_do_not_flood_the_terminal(
    thexp_pl: Typed,
) -> None:
    exp = record()
    facts = json.loads(exp.paths.manifest.read_text())
    facts["params"] = {"n" * 1_000_000: "v" * 1_000_000, **{f"p{i}": i for i in range(5000)}}
    facts["metrics"] = {"m" * 1_000_000: {"last": 1.0}, **{f"m{i}": {} for i in range(5000)}}
    facts["command"] = "c" * 1_000_000
    exp.paths.manifest.write_text(json.dumps(facts))
    (exp.path / "many").mkdir()
    for number in range(300):
        (exp.path / "many" / f"{number}.txt").touch()
    text = thexp_pl("show", exp.key)
    assert len(text) < 100_000
    assert text.count("... and 4,801 more") == 2
    files = sum(path.is_file() for path in exp.path.rglob("*"))
    assert f"... and {files - 200} more\n" in text


def test_files_and_sidecars_that_are_no_files_are_shown(thexp_pl: Typed) -> None:
    exp = record()
    modules = exp.path / "modules"
    modules.mkdir()
    os.mkfifo(modules / "0000001.ckpt")
    os.mkfifo(modules / "0000001.ckpt.json")
    (modules / "0000002.ckpt").symlink_to("/dev/zero")
    (modules / "model.0000002.pth").symlink_to("model.0000002.pth")
    (modules / "loop").symlink_to(modules)
    os.mkfifo(exp.paths.notes)
    exp.paths.journal.unlink(missing_ok=True)
    os.mkfifo(exp.paths.journal)
    exp.paths.metrics.unlink()
    os.mkfifo(exp.paths.metrics)
    text = thexp_pl("show", exp.key)
    assert "its sidecar is damaged" in text
    assert "no sidecar" in text
    assert thexp_pl("show", exp.key, "--csv") == "step,epoch,time,name,value\n"


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
    | st.sampled_from([10**400, "9999-99-99", "2026-01-01T00:00:00+00:00", "\x1b[2J"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["key", "how", "path", "bytes", "memory", "cause", "last", "a\x1b[31m"]),
        inner, max_size=4,
    ),
    max_leaves=6,
)  # fmt: skip


@pytest.fixture
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Experiment, dict[str, Any]]:
    """A run, and its manifest."""
    exp = record(root=str(tmp_path_factory.mktemp("root")), lr=0.1)
    return exp, json.loads(exp.paths.manifest.read_text())


@given(st.data())
@settings(max_examples=FUZZ, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_a_manifest_holds_is_shown(
    thexp_pl: Typed, whole: tuple[Experiment, dict[str, Any]], data: st.DataObject
) -> None:
    exp, facts = whole
    names = [*facts, "ranks", "tags", "notes", "experiment", "root", "folder"]
    changed = data.draw(st.dictionaries(st.sampled_from(names), ANYTHING, max_size=4))
    exp.paths.manifest.write_text(json.dumps({**facts, **changed}))
    root = str(exp.paths.root)
    for words in ([], ["--json"], ["--csv"], ["--plot", "loss"]):
        text = thexp_pl("show", exp.key, "--exps_dir", root, *words)
        assert all(line.isprintable() for line in text.splitlines())


@given(st.binary(max_size=200) | st.text(max_size=60).map(str.encode))
@settings(max_examples=FUZZ, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_stands_in_the_other_files_is_shown(
    thexp_pl: Typed, whole: tuple[Experiment, dict[str, Any]], content: bytes
) -> None:
    exp, _ = whole
    modules = exp.path / "modules"
    modules.mkdir(exist_ok=True)
    files: list[Path] = [exp.paths.metrics, exp.paths.journal, exp.paths.notes, exp.paths.console]
    exp.paths.console.parent.mkdir(exist_ok=True)
    for path in (*files, modules / "0000001.ckpt", modules / "0000001.ckpt.json"):
        path.write_bytes(content)
    root = str(exp.paths.root)
    for words in ([], ["--json"], ["--csv"], ["--log", "5"]):
        text = thexp_pl("show", exp.key, "--exps_dir", root, *words)
        assert all(line.isprintable() for line in text.split("\n"))


@pytest.mark.parametrize(
    "key", ["it's", 'a"b', "👩‍🔬", "a\\b", "a\nb", "\udc80", "a\x1b[31m", "' or 1"]
)
def test_a_run_whose_folder_has_any_name_is_shown(thexp_pl: Typed, key: str) -> None:
    exp = record()
    exp.path.rename(exp.path.with_name(key))
    text = thexp_pl("show", "@last")
    assert f"key         {printable(key)}\n" in text
    assert thexp_pl.json("show", "@last")["children"] == []
