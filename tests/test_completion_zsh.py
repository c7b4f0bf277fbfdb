"""What a real zsh completes where a command wants a run."""

from __future__ import annotations

import os
import pty
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from thexp_pl.cli import dispatch as cli
from thexp_pl.cli.completion import _ZSH, script_for
from thexp_pl.record import Experiment

pytestmark = [
    pytest.mark.skipif(shutil.which("zsh") is None, reason="there is no zsh"),
    pytest.mark.timeout(120),  # seconds; a shell that waits for a key fails the test
]
Completed = Callable[..., list[str]]

# The editor of an interactive shell completes lines as the tabulator would, and tells them.
STARTUP = r"""
autoload -U compinit
compinit -u -D
eval "$(<$ZDOTDIR/script)"
zle-line-init() {
  for BUFFER in "${(@f)TYPED}"; do
    CURSOR=$#BUFFER
    zle complete-word
    print -r -- "$BUFFER" >> $ZDOTDIR/completed
  done
  exit
}
zle -N zle-line-init
"""
# What a function offers, as the shell's own `compadd` would get it.
OFFERS = r"""
compadd() { print -rl -- "${(@P)${@[-1]}}" > $ZDOTDIR/offered }
_thexp_pl_runs
exit
"""


def zsh(folder: Path, startup: str, **variables: str) -> None:
    """Start an interactive zsh on a terminal with this for its .zshrc, and wait for its end."""
    (folder / ".zshrc").write_text(startup)
    child, terminal = pty.fork()
    if child == 0:
        os.environ.update(variables, ZDOTDIR=str(folder), TERM="dumb")
        os.execvp("zsh", ["zsh", "-i", "-d"])  # -d: no files of the machine
    try:
        while os.read(terminal, 4096):
            pass
    except OSError:  # nobody holds the terminal any more
        pass
    finally:
        os.close(terminal)
        os.waitpid(child, 0)


@pytest.fixture(scope="module")
def script() -> str:
    """Give the completion script of the commands that read; those that train are left out."""
    return script_for(*cli.command_parser(), "zsh")


@pytest.fixture
def completed(script: str, tmp_path: Path) -> Completed:
    """Give what types lines, each with a tabulator, and gives them as they then stand."""
    (tmp_path / "script").write_text(script)

    def press(*lines: str) -> list[str]:
        zsh(tmp_path, STARTUP, TYPED="\n".join(lines))
        return (tmp_path / "completed").read_text().splitlines()

    return press


def record(name: str = "digits", root: str = "./experiment") -> str:
    with Experiment(root, name, code=False, console=False) as exp:
        pass
    return exp.key


def test_what_is_begun_is_completed_wherever_a_run_may_stand(completed: Completed) -> None:
    key = record()
    commands = ("show", "diff @last", "compare @last", "rm @last @last", "tag")
    whole = [f"thexp-pl {words} {name} " for words in commands for name in (key, "digits")]
    assert completed(*(line[:-4] for line in whole)) == whole


def test_what_a_name_would_carry_out_is_quoted(completed: Completed) -> None:
    record()
    Path("experiment/z$(touch carried_out)").mkdir()
    (line,) = completed("thexp-pl show z")
    assert line == r"thexp-pl show z\$\(touch\ carried_out\) "
    assert not list(Path().rglob("carried_out"))


def test_runs_of_all_roots_are_offered_and_torn_entries_passed_over(
    tmp_path: Path, own_home: Path
) -> None:
    keys = {record(), record("手写", root="./another root")}
    record("gone", root="./gone")
    shutil.rmtree("gone")
    (own_home / "roots" / "torn.json").write_text('{"path": "/')
    (own_home / "roots" / "empty.json").touch()
    zsh(tmp_path, _ZSH + OFFERS, LC_ALL="C.UTF-8")
    offered = (tmp_path / "offered").read_text().splitlines()
    assert set(offered) == {*keys, "@last", "digits", "手写"}
