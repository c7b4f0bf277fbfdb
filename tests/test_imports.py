"""What an import of thexp_pl brings along, and which names it has."""

from __future__ import annotations

import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import thexp_pl

HEAVY = {"numpy", "torch", "pytorch_lightning", "lightning_fabric", "torchmetrics"}


def imported_by(statement: str) -> set[str]:
    """Give the top names beyond the standard library that a statement imports, in a new process.

    An editable installation has finders of its own, which count as part of Python's start.
    """
    code = (
        "import sys\n"
        "before = set(sys.modules)\n"
        f"{statement}\n"
        "new = {name for name in set(sys.modules) - before}\n"
        "print(*(n for n in new if n.partition('.')[0] not in sys.stdlib_module_names))\n"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(ended.stdout.split())


def test_importing_the_package_imports_nothing_but_its_errors() -> None:
    assert imported_by("import thexp_pl") == {"thexp_pl", "thexp_pl.errors"}


def test_importing_the_trainer_shows_that_this_test_can_fail() -> None:
    assert {name.partition(".")[0] for name in imported_by("import thexp_pl.trainer")} >= HEAVY


@pytest.mark.parametrize(
    "name",
    [
        *("Params", "BaseParams", "Meter", "AvgMeter", "Logger", "globs", "ThexpError"),
        *("Experiment", "ExperimentViewer"),
    ],
)
def test_a_name_of_the_lower_floors_brings_neither_torch_nor_lightning_nor_numpy(
    name: str,
) -> None:
    imported = imported_by(f"from thexp_pl import {name}")

    assert not HEAVY & {each.partition(".")[0] for each in imported}


@pytest.mark.parametrize("name", thexp_pl.__all__)
def test_every_public_name_can_be_had_and_is_listed(name: str) -> None:
    assert getattr(thexp_pl, name) is not None
    assert name in dir(thexp_pl)


def test_a_misspelt_name_is_told_with_the_near_miss() -> None:
    with pytest.raises(AttributeError, match=r"no 'Paramms'; did you mean 'Params'\?"):
        thexp_pl.Paramms  # noqa: B018
    with pytest.raises(ImportError, match="Paramms"):
        from thexp_pl import Paramms  # noqa: F401


@pytest.mark.parametrize(
    "statements",
    [
        "from thexp_pl import globs",
        "from thexp_pl import Experiment, globs",
        "import thexp_pl.record; from thexp_pl import globs",
        "import thexp_pl.cli.commands; import thexp_pl; globs = thexp_pl.globs",
        "from thexp_pl import globs; import thexp_pl.globvars; from thexp_pl import globs",
    ],
)
def test_globs_is_the_object_in_whatever_order_it_is_imported(statements: str) -> None:
    code = (
        f"{statements}\n"
        "globs.update('global', 'os', 'linux')\n"
        "print(globs.os, globs['os'])\n"
        "try:\n"
        "    globs.lr = 5\n"
        "except AttributeError:\n"
        "    print('refused')\n"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert ended.stdout.split() == ["linux", "linux", "refused"]


def test_no_module_has_the_name_of_a_public_object() -> None:
    package = Path(thexp_pl.__file__).parent
    modules = {found.name for found in pkgutil.iter_modules([str(package)])}

    assert {name for name in thexp_pl.__all__ if name in modules} == {
        "calculate",
        "data",
        "notebook",
        "rnd",
    }


def test_type_checkers_see_every_public_name() -> None:
    source = Path(thexp_pl.__file__).read_text()

    for name in thexp_pl.__all__:
        assert f"import {name} as {name}" in source or name == "__version__"
