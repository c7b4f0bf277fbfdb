"""How the command line starts and ends: imports, pipes, encodings, systems, completion."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from cli_helpers import CommandLine, environment, in_process, project, thexp_pl

from thexp_pl.record import Experiment

# jsonargparse deprecates what Lightning calls
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
__all__ = ["project", "thexp_pl"]  # fixtures

HEAVY = ("torch", "pytorch_lightning", "lightning_fabric", "numpy", "torchmetrics", "jsonargparse")
REPORT = f"""
import sys
from thexp_pl.cli.main import main
try:
    main(sys.argv[1:])
finally:
    sys.stderr.write(" ".join(name for name in {HEAVY!r} if name in sys.modules))
"""


def imported_by(project: Path, folder: Path, *words: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", REPORT, *words], cwd=folder, env=environment(project),
        capture_output=True, text=True,
    )  # fmt: skip
    return done.stderr.split("\n")[-1].split()


def record(**params: str) -> Experiment:
    with Experiment("experiment", "digits") as experiment:
        experiment.params = params
    return experiment


@pytest.mark.parametrize(
    "words",
    ["--help", "--version", "", "list", "show @last", "init", "config -l", "nope"],
)
def test_what_only_reads_imports_neither_torch_nor_lightning_nor_numpy(
    thexp_pl: CommandLine, project: Path, words: str
) -> None:
    record()
    assert imported_by(project, Path.cwd(), *words.split()) == []


def test_the_test_before_would_notice_what_training_imports(project: Path, tmp_path: Path) -> None:
    words = ["fit", "--trainer_class=mine:MyTrainer", "--epoch=x"]
    assert imported_by(project, tmp_path, *words) == list(HEAVY)


def test_importing_the_package_imports_nothing_heavy(project: Path, tmp_path: Path) -> None:
    script = "import sys, thexp_pl; print(*sys.modules)"
    for more, is_heavy in (("", False), ("; thexp_pl.Trainer", True)):
        source = script.replace("; print", f"{more}; print")
        done = subprocess.run(
            [sys.executable, "-c", source], cwd=tmp_path, env=environment(project),
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        assert bool(set(HEAVY) & set(done.stdout.split())) == is_heavy


def test_help_version_and_no_command(thexp_pl: CommandLine) -> None:
    page = thexp_pl("--help")
    assert page.code == 0
    for name in ("fit", "validate", "test", "predict", "list", "show", "config", "completion"):
        assert f"\n    {name}" in page.out
    version = thexp_pl("--version")
    assert version.code == 0
    assert version.out.startswith("thexp-pl ")
    nothing = thexp_pl()
    assert (nothing.code, nothing.out) == (2, page.out)


def test_an_unknown_command_or_flag_is_refused_with_the_near_miss(thexp_pl: CommandLine) -> None:
    assert "there is no command 'fitt'; did you mean 'fit'?" in thexp_pl("fitt").refusal()
    assert "--jso" in thexp_pl("list", "--jso").refusal()


@pytest.mark.parametrize("words", [["list"], ["list", "--json"], ["--help"]])
def test_a_reader_that_goes_away_is_no_error(
    thexp_pl: CommandLine, project: Path, words: list[str]
) -> None:
    for index in range(3):
        record(text=str(index) * 50_000)
    process = subprocess.Popen(
        [sys.executable, "-m", "thexp_pl", *words], env=environment(project),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait() == 1


@pytest.mark.parametrize(
    "variables", [{"PYTHONIOENCODING": "ascii"}, {"LC_ALL": "C", "PYTHONUTF8": "0"}]
)
def test_a_terminal_without_the_letters_gets_escapes(
    thexp_pl: CommandLine, project: Path, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]
) -> None:
    record(name="手写")
    record(name="x")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    ended = in_process(project, "list", cwd=Path.cwd())
    assert (ended.code, ended.err) == (0, "")
    assert "\\u624b" in ended.out or "手写" in ended.out


def test_windows_is_refused_in_one_line(project: Path, tmp_path: Path) -> None:
    script = """
import sys
sys.platform = "win32"
for name in ("fcntl", "pwd", "resource", "termios"):
    sys.modules[name] = None
from thexp_pl.cli.main import main
sys.exit(main(["fit"]))
"""
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, env=environment(project),
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr == "error: thexp-pl needs Linux or macOS; on Windows, run it in WSL\n"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "module", ["cli.dispatch", "cli.report", "jsonable", "cli.commands.ui", "cli.training"]
)
def test_ctrl_c_while_modules_are_imported_ends_with_130_and_no_traceback(
    project: Path, tmp_path: Path, module: str
) -> None:
    script = f"""
import os, signal, sys
class Interrupting:
    def find_spec(self, name, *_):
        if name == "thexp_pl.{module}":
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Interrupting())
from thexp_pl.cli.main import main
sys.exit(main(sys.argv[1:]))
"""
    word = "fit" if module == "cli.training" else "list"
    done = subprocess.run(
        [sys.executable, "-c", script, word], cwd=tmp_path, env=environment(project),
        capture_output=True, text=True, timeout=180,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (130, "interrupted\n")


# -- completion ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def script(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the completion script for bash."""
    folder = tmp_path_factory.mktemp("completion")
    ended = in_process(project, "completion", "bash", "--trainer_class=mine:MyTrainer", cwd=folder)
    assert (ended.code, ended.err) == (0, "")
    (folder / "script.sh").write_text(ended.out)
    return folder / "script.sh"


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("fi", ["fit"]),
        ("sh", ["show"]),
        ("fit --optim.", ["--optim.lr", "--optim.betas", "--optim.nesterov"]),
        ("fit --trainer.max_s", ["--trainer.max_steps"]),
        ("fit --kind ", ["quick", "slow"]),
        ("fit --optim.nesterov t", ["true"]),
        ("fit --trainer.precision bf16-m", ["bf16-mixed"]),
        ("test --ckpt_path ", ["a.ckpt"]),
        ("list --js", ["--json"]),
        ("list --exps_dir ", ["runs"]),
    ],
)
def test_bash_completes_commands_flags_and_values(
    script: Path, tmp_path: Path, typed: str, offered: list[str]
) -> None:
    (tmp_path / "a.ckpt").touch()
    (tmp_path / "runs").mkdir()
    words = ["thexp-pl", *typed.split(" ")]
    source = f"""
source {script}
COMP_WORDS=({" ".join(repr(word) for word in words)})
COMP_CWORD={len(words) - 1}
$(complete -p thexp-pl | sed 's/.*-F \\([^ ]*\\).*/\\1/') thexp-pl {words[-1]!r} {words[-2]!r}
printf '%s\\n' "${{COMPREPLY[@]}}"
"""
    done = subprocess.run(
        ["bash", "-c", source], cwd=tmp_path, capture_output=True, text=True, env=dict(os.environ)
    )
    found = [line.strip().rstrip("/") for line in done.stdout.splitlines() if line.strip()]
    assert set(offered) <= set(found), done.stderr
    if not typed.endswith(" "):
        assert sorted(found) == sorted(offered)


@pytest.mark.parametrize("shell", ["zsh", "tcsh"])
def test_other_shells_get_a_script_with_the_flags_too(thexp_pl: CommandLine, shell: str) -> None:
    ended = thexp_pl("completion", shell, "--trainer_class=mine:MyTrainer")
    assert ended.code == 0
    assert "optim.nesterov" in ended.out
