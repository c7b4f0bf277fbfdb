"""`thexp-pl config`: the variables of `globs`, as they are typed."""

from __future__ import annotations

import json
import stat
import sys
from pathlib import Path
from typing import Any

import pytest
from terminal_helpers import Answers, answering
from typed_commands import Typed, thexp_pl

from thexp_pl.globvars import globs

__all__ = ["answering", "thexp_pl"]


@pytest.fixture
def editor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Make an editor that does as it is told; returns the file with what it was given."""
    seen = tmp_path / "seen"

    def write(*texts: str, code: int = 0, variable: str = "EDITOR") -> Path:
        """Have it write a text, another one the next time, and end with a code."""
        script = tmp_path / "my editor.py"
        script.write_text(
            "import pathlib, sys\n"
            f"seen, texts = pathlib.Path({str(seen)!r}), {texts!r}\n"
            "calls = seen.read_text().split('|')[:-1] if seen.exists() else []\n"
            "path = pathlib.Path(sys.argv[-1])\n"
            "seen.write_text('|'.join([*calls, path.read_text(), '']))\n"
            "text = texts[len(calls)] if texts else None\n"
            "text is None or path.write_text(text)\n"
            f"sys.exit({code})\n"
        )
        monkeypatch.delenv("VISUAL", raising=False)
        monkeypatch.setenv(variable, f"'{sys.executable}' '{script}' --wait")
        return seen

    return write


def test_config_has_the_forms_of_thexp(thexp_pl: Typed, tmp_path: Path) -> None:
    assert str(tmp_path) in thexp_pl("init")
    assert thexp_pl("config", "-l") == ""
    thexp_pl("config", "--global", "datasets", "/path/to/all/datasets")
    thexp_pl("config", "--global", "seed", "7")
    thexp_pl("config", "--local", "seed", "8")
    assert thexp_pl("config", "--global", "-l") == "datasets=/path/to/all/datasets\nseed=7\n"
    assert thexp_pl("config", "--local", "-l") == "seed=8\n"
    assert thexp_pl("config", "-l") == "datasets=/path/to/all/datasets\nseed=7\nseed=8\n"
    assert thexp_pl("config", "seed") == "8\n"
    assert thexp_pl("config", "--global", "seed") == "7\n"
    thexp_pl("config", "--local", "-u", "seed")
    assert thexp_pl("config", "seed") == "7\n"
    thexp_pl("config", "--global", "-u", "datasets")
    assert "no variable 'datasets'" in thexp_pl.refused("config", "datasets")


@pytest.mark.parametrize(
    ("typed", "value", "printed"),
    [
        ("0.1", 0.1, "0.1"),
        ("-3", -3, "-3"),
        ("true", True, "true"),
        ('{"a": [1]}', {"a": [1]}, '{"a": [1]}'),
        ('"7"', "7", "7"),
        ("my.module:Trainer", "my.module:Trainer", "my.module:Trainer"),
        ("NaN", "NaN", "NaN"),
        ("数据", "数据", "数据"),
    ],
)
def test_config_keeps_json_where_it_parses_and_else_text(
    thexp_pl: Typed, typed: str, value: Any, printed: str
) -> None:
    thexp_pl("config", "--global", "value", typed)
    assert globs["value"] == value
    assert thexp_pl("config", "value") == f"{printed}\n"
    assert thexp_pl.json("config", "value") == value


def test_as_json_the_list_is_an_object_of_levels(thexp_pl: Typed) -> None:
    thexp_pl("init")
    thexp_pl("config", "--global", "a", "1")
    thexp_pl("config", "--local", "a", "\x1b[31m")
    assert thexp_pl.json("config", "-l") == {"global": {"a": 1}, "local": {"a": "\x1b[31m"}}
    assert thexp_pl.json("config", "-l", "--global") == {"global": {"a": 1}}
    for words in (["a", "2"], ["-u", "a"], ["-e"]):
        assert "--json goes with" in thexp_pl.refused("config", "--json", *words)
    assert globs["a"] == "\x1b[31m"


def test_outside_a_project_local_says_how_to_make_one(thexp_pl: Typed, tmp_path: Path) -> None:
    for words in (["a", "1"], ["-l"], ["-u", "a"], ["-e"]):
        assert "`thexp-pl init`" in thexp_pl.refused("config", "--local", *words)
    assert "`thexp-pl init`" in thexp_pl.refused("config", "a", "1")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "words", [[], ["-l", "a"], ["-l", "-u", "a"], ["-u", "a", "b"], ["-e", "-l"], ["-e", "a"]]
)
def test_config_refuses_what_it_cannot_mean(thexp_pl: Typed, words: list[str]) -> None:
    assert "one thing at a time" in thexp_pl.refused("config", *words)


def test_a_missing_variable_offers_the_near_miss(thexp_pl: Typed) -> None:
    thexp_pl("config", "--global", "datasets", "/d")
    assert "did you mean 'datasets'" in thexp_pl.refused("config", "dataset")
    assert "did you mean 'datasets'" in thexp_pl.refused("config", "--global", "dataset")
    assert "did you mean 'datasets'" in thexp_pl.refused("config", "--global", "-u", "dataset")


def test_a_refusal_says_what_is_wrong_and_what_can_be_typed(
    thexp_pl: Typed, tmp_path: Path
) -> None:
    assert "a control character; take it out" in thexp_pl.refused("config", "e\x1b[31m", "1")
    assert "at least one visible character" in thexp_pl.refused("config", " ", "1")
    assert "`thexp-pl config --global`" in thexp_pl.refused("config", "a", "1")
    assert "`thexp-pl config --global NAME VALUE`" in thexp_pl.refused("config", "a")
    thexp_pl("init")
    assert "`thexp-pl config NAME VALUE`" in thexp_pl.refused("config", "a")
    mark = tmp_path / "p" / ".thexp"
    mark.mkdir(parents=True)
    (mark / "config.lock").mkdir()
    told = thexp_pl.refused("init", "p")
    assert "free it" in told
    assert "THEXP_HOME" not in told  # which is no way out for a project's file


@pytest.mark.parametrize("variable", ["EDITOR", "VISUAL"])
def test_edit_opens_the_levels_file_in_the_users_editor(
    thexp_pl: Typed, editor: Any, own_home: Path, variable: str
) -> None:
    seen = editor('{"a": 2,   "b": null}\n', variable=variable)
    thexp_pl("config", "--global", "a", "1")
    assert "are changed" in thexp_pl("config", "--global", "-e")
    assert json.loads(seen.read_text()[:-1]) == {"a": 1}
    assert globs.glob_fn.read_text() == '{"a": 2,   "b": null}\n'  # as it was written
    assert sorted(path.name for path in own_home.iterdir()) == ["config.json", "config.lock"]


def test_edit_begins_with_an_empty_object_and_may_change_nothing(
    thexp_pl: Typed, editor: Any, own_home: Path
) -> None:
    seen = editor()
    assert "stay as they are" in thexp_pl("config", "--global", "-e")
    assert seen.read_text() == "{}\n|"
    assert list(own_home.iterdir()) == []


@pytest.mark.parametrize("text", ["[]", "{", "", '{"a": NaN}', "[" * 100_000, "null"])
def test_what_is_no_object_is_not_taken_and_not_lost(
    thexp_pl: Typed, editor: Any, text: str
) -> None:
    thexp_pl("config", "--global", "a", "1")
    before = globs.glob_fn.read_bytes()
    editor(text, "{")
    refusal = thexp_pl.refused("config", "--global", "-e")
    assert "nothing was changed" in refusal
    assert globs.glob_fn.read_bytes() == before
    kept = Path(refusal.split("edited is in ")[1].strip("'\n"))
    assert kept.read_text() == text
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600  # it may hold what others are not to read
    thexp_pl.refused("config", "--global", "-e")
    assert kept.read_text() == text  # neither is what was edited before


def test_a_damaged_file_is_mended_by_editing_it(thexp_pl: Typed, editor: Any) -> None:
    globs.glob_fn.write_text('{"a": 1,}')
    assert "mend it" in thexp_pl.refused("config", "a")
    seen = editor('{"a": 1}')
    thexp_pl("config", "--global", "-e")
    assert seen.read_text() == '{"a": 1,}|'
    assert thexp_pl("config", "a") == "1\n"


def test_at_a_terminal_a_mistake_is_edited_again(
    thexp_pl: Typed, editor: Any, answering: Answers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(sys.stderr), "isatty", lambda self: True)
    seen = editor('{"a": 1', '{"a": 1}')
    answering("y\n")
    code, _, err = thexp_pl.ended("config", "--global", "-e")
    assert code == 0
    assert "Edit it again? [Y/n]" in err
    assert seen.read_text() == '{}\n|{"a": 1|'  # the second time with what was written
    assert globs["a"] == 1


def test_what_somebody_else_has_changed_meanwhile_is_not_overwritten(
    thexp_pl: Typed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    thexp_pl("config", "--global", "a", "1")
    script = tmp_path / "editor.py"
    script.write_text(
        "import pathlib, sys\n"
        "from thexp_pl import globs\n"
        "globs.update('global', 'b', 2)\n"
        "pathlib.Path(sys.argv[-1]).write_text('{}')\n"
    )
    monkeypatch.setenv("VISUAL", f"{sys.executable} {script}")
    assert "was changed by somebody else" in thexp_pl.refused("config", "--global", "-e")
    assert globs.list_config()["global"] == {"a": 1, "b": 2}


def test_an_editor_that_fails_or_is_not_there_is_one_line(
    thexp_pl: Typed, editor: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    thexp_pl("config", "--global", "a", "1")
    editor('{"a": 2}', code=3)
    assert "ended with 3" in thexp_pl.refused("config", "--global", "-e")
    for name in ("no-such-editor", "'", "/"):
        monkeypatch.setenv("EDITOR", name)
        assert "name one in VISUAL or EDITOR" in thexp_pl.refused("config", "--global", "-e")
    assert globs["a"] == 1
