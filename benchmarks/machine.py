"""Where something was measured: the machine, and the versions of all that took part."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Iterable, Iterator
from importlib.metadata import distributions
from pathlib import Path

from thexp_pl.record.facts import machine_facts

__all__ = ["where"]

_FOLDER = Path(__file__).parent
_TRACKERS = _FOLDER.parent / ".venv-trackers"
_PACKAGES = ("thexp-pl", "torch", "pytorch-lightning", "torchmetrics", "numpy", "tensorboard")


def where() -> str:
    """Say on what machine, and with which versions; a peer that is not installed is absent."""
    facts = machine_facts()
    system, memory = facts["platform"], facts["cpu"]["memory"] / 2**30
    parts = [
        f"{facts['cpu']['model']}, {os.cpu_count()} CPUs, {memory:.0f} GB",
        *(gpu["name"] for gpu in facts["gpus"]),
        f"{system['system']} {system['release']} {system['machine']}",
        f"Python {platform.python_version()}",
        *_versions(_PACKAGES + _listed("peers.txt"), sys.path),
        *_versions(_listed("trackers.txt"), map(str, _TRACKERS.glob("lib/*/site-packages"))),
    ]
    return ", ".join(parts)


def _listed(file: str) -> tuple[str, ...]:
    """Give the packages that a file of requirements names."""
    lines = (_FOLDER / file).read_text("utf-8").splitlines()
    return tuple(line.partition("==")[0] for line in lines if line and not line.startswith("#"))


def _versions(names: tuple[str, ...], places: Iterable[str]) -> Iterator[str]:
    path = list(places)
    for name in names:
        found = next(iter(distributions(name=name, path=path)), None)
        yield f"{name} {found.version if found else 'absent'}"
