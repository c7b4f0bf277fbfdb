"""`thexp-pl init`: projects, and the working one that `--template` makes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from cli_helpers import environment
from typed_commands import Typed, thexp_pl

__all__ = ["thexp_pl"]

MADE = [
    ".gitignore",
    ".thexp/config.json",
    "README.md",
    "config.yaml",
    "pyproject.toml",
    "tests/test_train.py",
    "train.py",
]


def made(folder: Path) -> list[str]:
    """Give the files below a folder, without locks and caches."""
    found = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return sorted(str(path) for path in found if path.suffix not in (".lock", ".pyc"))


def content(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in made(folder)}


def test_init_makes_a_folder_a_project_and_keeps_one_that_is(
    thexp_pl: Typed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert str(tmp_path / "new" / "project") in thexp_pl("init", "new/project")
    monkeypatch.chdir(tmp_path / "new" / "project")
    thexp_pl("config", "a", "1")
    thexp_pl("init")
    assert thexp_pl("config", "a") == "1\n"


def test_a_place_that_cannot_be_a_project_is_refused_in_one_line(
    thexp_pl: Typed, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("kept")
    for words in (["init", "file"], ["init", "file/inner"]):
        assert "Not a directory" in thexp_pl.refused(*words)
    for folder in ("file", "file/inner", "new/../file/inner"):
        assert "File exists" in thexp_pl.refused("init", "--template", folder)
    assert made(tmp_path) == ["file"]
    assert (tmp_path / "file").read_text() == "kept"


# one process: each would import Lightning anew
BOTH = """
from thexp_pl.cli.main import main
assert main(["fit"]) == 0
print("configuration:", flush=True)
main(["fit", "--config", "config.yaml", "--print_config"])
"""


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str], str]:
    """A project of the template in which `thexp-pl fit` was typed, and its configuration read."""
    folder = tmp_path_factory.mktemp("empty") / "my project"
    home = tmp_path_factory.mktemp("home")
    variables = environment(folder) | {"THEXP_HOME": str(home)}
    subprocess.run(
        [sys.executable, "-m", "thexp_pl", "init", "--template", str(folder)],
        env=variables, check=True, timeout=180,
    )  # fmt: skip
    assert made(folder) == MADE
    done = subprocess.run(
        [sys.executable, "-c", BOTH],
        cwd=folder, env=variables, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder, variables, done.stdout


def test_a_plain_fit_trains_the_template_and_records_it(
    trained: tuple[Path, dict[str, str], str],
) -> None:
    folder, variables, printed = trained
    assert "run:  experiment/MyTrainer/" in printed
    runs, run = (
        subprocess.run(
            [sys.executable, "-m", "thexp_pl", *words, "--json"],
            cwd=folder, env=variables, capture_output=True, timeout=180, check=True,
        ).stdout
        for words in (["list"], ["show", "@last"])
    )  # fmt: skip
    assert [one["experiment"] for one in json.loads(runs)] == ["MyTrainer"]
    facts = json.loads(run)
    assert facts["status"] == "finished"
    assert facts["metrics"]["eval_acc"]["last"] > 0.9
    assert [one["kind"] for one in facts["checkpoints"]].count("model") == 1
    # the code that is kept is the project's
    store = ["git", f"--git-dir={folder}/experiment/.thexp/code.git"]
    kept = subprocess.run(
        [*store, "ls-tree", "-r", "--name-only", facts["code"]["tree"]],
        capture_output=True, text=True, timeout=180, check=True,
    ).stdout.split()  # fmt: skip
    assert {"train.py", "config.yaml", "tests/test_train.py"} <= set(kept)


def test_the_templates_own_test_passes_and_leaves_the_users_runs_alone(
    trained: tuple[Path, dict[str, str], str],
) -> None:
    folder, variables, _ = trained
    words = [sys.executable, "-c", "import sys, pytest; sys.exit(pytest.main(sys.argv[1:]))"]
    roots = Path(variables["THEXP_HOME"]) / "roots"
    before = sorted(roots.iterdir())
    done = subprocess.run(
        [*words, "-q", "-p", "no:cacheprovider"],
        cwd=folder, env=variables, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    assert "1 passed" in done.stdout
    assert sorted(roots.iterdir()) == before


def test_the_templates_configuration_is_one_that_fit_takes(
    trained: tuple[Path, dict[str, str], str],
) -> None:
    _, _, printed = trained
    configuration = printed.partition("configuration:\n")[2]
    assert "width: 128" in configuration
    assert "lr: 0.05" in configuration


@pytest.mark.parametrize("name", ["train.py", "tests/test_train.py", ".gitignore"])
def test_the_template_overwrites_nothing_and_names_what_is_there(
    thexp_pl: Typed, tmp_path: Path, name: str
) -> None:
    folder = tmp_path / "mine"
    (folder / name).parent.mkdir(parents=True)
    (folder / name).write_text("mine")
    refusal = thexp_pl.refused("init", "--template", "mine")
    assert f"has {name} already" in refusal
    assert made(folder) == [name]
    assert (folder / name).read_text() == "mine"
    assert not (folder / ".thexp").exists()


def test_the_template_refuses_dangling_links_and_a_second_time(
    thexp_pl: Typed, tmp_path: Path
) -> None:
    (tmp_path / "train.py").symlink_to("nowhere.py")
    assert "has train.py already" in thexp_pl.refused("init", "--template")
    (tmp_path / "train.py").unlink()
    thexp_pl("init", "--template")
    before = content(tmp_path)
    assert "has train.py, config.yaml" in thexp_pl.refused("init", "--template")
    assert content(tmp_path) == before


def test_a_project_that_trains_something_else_gets_no_template(
    thexp_pl: Typed, tmp_path: Path
) -> None:
    thexp_pl("init")
    thexp_pl("config", "trainer_class", "mine:Trainer")
    assert "says already what 'trainer_class' is" in thexp_pl.refused("init", "--template")
    assert made(tmp_path) == [".thexp/config.json"]
    thexp_pl("config", "trainer_class", "train:MyTrainer")
    thexp_pl("config", "seed", "7")
    thexp_pl("init", "--template")
    assert thexp_pl("config", "seed") == "7\n"


def test_what_was_written_before_a_fault_is_gone_again(thexp_pl: Typed, tmp_path: Path) -> None:
    (tmp_path / "tests").write_text("a file, where the template has a folder")
    assert "cannot write the template" in thexp_pl.refused("init", "--template")
    assert made(tmp_path) == ["tests"]
    (tmp_path / ".thexp").write_text("")
    (tmp_path / "tests").unlink()
    assert "cannot write the variables" in thexp_pl.refused("init", "--template")
    assert [path.name for path in tmp_path.iterdir()] == [".thexp"]
