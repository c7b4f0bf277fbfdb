"""One planted difference: what `thexp-pl diff` prints is its category, its name and both values."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from diff_helpers import make_project, record
from typed_commands import Typed, thexp_pl

from thexp_pl.runs import Run

__all__ = ["thexp_pl"]

PACKAGE = Path(__file__).parents[1]
ENVIRONMENT = {"PL_GLOBAL_SEED": "1", "OMP_NUM_THREADS": "1"}
WORDS = ("--fast", "1")
OLD, NEW = "1,2\n", "1,3\n"  # as long as each other: only the content tells


def install(project: Path, version: str) -> None:
    """Have a package in this version beside the project, and in no other."""
    site = project.parent / "site"
    shutil.rmtree(site, ignore_errors=True)
    info = site / f"tiny_tool-{version}.dist-info"
    info.mkdir(parents=True)
    metadata = f"Metadata-Version: 2.1\nName: tiny-tool\nVersion: {version}\n"
    (info / "METADATA").write_text(metadata)


def recorded(project: Path, *words: str, **environment: str) -> Run:
    path = f"{project.parent / 'site'}{os.pathsep}{PACKAGE}"
    return record(project, *words, PYTHONPATH=path, **ENVIRONMENT | environment)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run of a project, whose folder is two above the root."""
    folder = tmp_path_factory.mktemp("base")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("THEXP_HOME", str(folder / "home"))
        project = make_project(folder / "project")
        install(project, "1.0")
        return recorded(project, *WORDS)


@pytest.fixture
def project(base: Run) -> Iterator[Path]:
    project = base.paths.root.parent
    yield project
    install(project, "1.0")
    (project / "data.csv").write_text(OLD)


def printed(thexp_pl: Typed, base: Run, other: Run) -> list[str]:
    """Give all lines below the heading, their columns apart."""
    out = thexp_pl("diff", base.key, other.key, "--exps_dir", str(base.paths.root))
    heading, *lines = [re.sub(r" {2,}", " | ", line.rstrip()) for line in out.splitlines()]
    assert heading.startswith(f"a | {base.key} | ")
    assert lines[0].startswith(f"b | {other.key} | ")
    return lines[1:]


def section(category: str, line: str) -> list[str]:
    return ["", category, " | a | b", line, "", "The metrics agree bit for bit."]


@pytest.mark.parametrize(
    ("words", "environment", "category", "line"),
    [
        (WORDS, {"LR": "0.2"}, "params", "optim.lr | 0.1 | 0.2"),
        (("--fast", "2"), {}, "command", "arguments | --fast 1 | --fast 2"),
        (WORDS, {"OMP_NUM_THREADS": "3"}, "environment", "OMP_NUM_THREADS | 1 | 3"),
    ],
)
def test_what_the_command_was_given_is_printed_alone(
    thexp_pl: Typed,
    base: Run,
    project: Path,
    words: tuple[str, ...],
    environment: dict[str, str],
    category: str,
    line: str,
) -> None:
    other = recorded(project, *words, **environment)
    assert printed(thexp_pl, base, other) == section(category, line)


def test_another_version_of_a_package_is_printed_alone(
    thexp_pl: Typed, base: Run, project: Path
) -> None:
    install(project, "1.1")
    other = recorded(project, *WORDS)
    assert printed(thexp_pl, base, other) == section("packages", "tiny-tool | 1.0 | 1.1")


def test_changed_data_is_printed_alone(thexp_pl: Typed, base: Run, project: Path) -> None:
    (project / "data.csv").write_text(NEW)
    other = recorded(project, *WORDS)
    a, b = (hashlib.sha256(text.encode()).hexdigest()[:12] for text in (OLD, NEW))
    line = f"../data.csv | 4 bytes, {a} | 4 bytes, {b}"
    assert printed(thexp_pl, base, other) == section("data", line)
