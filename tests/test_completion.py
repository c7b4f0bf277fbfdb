"""What a real bash offers where a command wants a run."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from thexp_pl.cli import dispatch as cli
from thexp_pl.cli.completion import _BASH, script_for
from thexp_pl.record import Experiment

pytestmark = pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
Offered = Callable[..., set[str]]


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the completion script of the commands that read; those that train are left out."""
    path = tmp_path_factory.mktemp("completion") / "script.sh"
    path.write_text(script_for(*cli.command_parser(), "bash"))
    return path


@pytest.fixture
def offered(script: Path, tmp_path: Path) -> Offered:
    """Give what presses the tabulator after some words, and gives what bash offers."""

    def press(*words: str, home: Path | None = None) -> set[str]:
        source = f"""
source {script}
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
$(complete -p thexp-pl | sed 's/.*-F \\([^ ]*\\).*/\\1/') thexp-pl "${{@: -1}}" "${{@: -2:1}}"
printf '%s\\n' "${{COMPREPLY[@]}}"
"""
        environment = {**os.environ, "HOME": str(home)} if home else dict(os.environ)
        if home:
            del environment["THEXP_HOME"]
        done = subprocess.run(
            ["bash", "-c", source, "bash", "thexp-pl", *words],
            cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=180,
        )  # fmt: skip
        assert done.stderr == ""
        return {line.strip() for line in done.stdout.splitlines() if line.strip()}

    return press


def record(name: str = "digits", root: str = "./experiment") -> str:
    with Experiment(root, name, code=False, console=False) as exp:
        pass
    return exp.key


@pytest.mark.parametrize(
    "command", ["show", "compare", "stats", "reproduce", "rollback", "resume", "tag", "rm", "diff"]
)
def test_every_command_that_wants_a_run_is_offered_keys(offered: Offered, command: str) -> None:
    keys = {record(), record("手写", root="./another root")}
    assert offered(command, "") >= {*keys, "@last", "digits", "手写"}
    key = min(keys)
    assert offered(command, key[:-1]) == {one for one in keys if one.startswith(key[:-1])}
    assert offered(command, "dig") == {"digits"}
    assert offered(command, "@") == {"@last"}


def test_the_second_run_of_a_diff_is_offered_too(offered: Offered) -> None:
    assert record() in offered("diff", "@last", "2")


def test_runs_are_found_whichever_home_is_meant(
    offered: Offered, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("THEXP_HOME", str(tmp_path / "user" / ".thexp"))
    key = record()
    assert key in offered("show", "")
    assert key in offered("show", "", home=tmp_path / "user")
    assert offered("show", "", home=tmp_path) == {"@last"}


def test_what_a_name_would_carry_out_is_neither_carried_out_nor_offered(
    offered: Offered, tmp_path: Path
) -> None:
    key = record()
    root = Path("experiment")
    names = [
        "$(touch carried_out)",
        "`touch carried_out`",
        "a;touch carried_out",
        "*",
        "a b",
        "a'b",
    ]
    for name in names:
        (root / name / name).mkdir(parents=True)
        (root / name / name / "run.json").touch()
    (tmp_path / "experiment").symlink_to(root.resolve())
    assert offered("show", "") == {key, "@last", "digits"}
    assert offered("show", "$(touch") == set()
    source = f'{_BASH}\n_thexp_pl_checkpoints ""'
    done = subprocess.run(
        ["bash", "-c", source], cwd=tmp_path, capture_output=True, text=True, timeout=180
    )
    assert f"{key}@last" in done.stdout.splitlines()
    assert not list(tmp_path.glob("carried_out*"))
    assert not Path("carried_out").exists()


def test_roots_that_are_gone_and_entries_that_are_torn_are_passed_over(
    offered: Offered, own_home: Path
) -> None:
    record(root="./gone")
    shutil.rmtree("gone")
    key = record()
    (own_home / "roots" / "torn.json").write_text('{"path": "/')
    (own_home / "roots" / "empty.json").touch()
    assert offered("show", "") == {key, "@last", "digits"}


def test_values_and_folders_are_still_offered(offered: Offered, tmp_path: Path) -> None:
    (tmp_path / "runs").mkdir()
    assert "runs" in {word.rstrip("/") for word in offered("list", "--exps_dir", "")}
    assert offered("list", "--js") == {"--json"}
