"""Drives a sweep on Ray in a process of its own: ``ray_driver.py ROOT KEY OPTIONS VERSION``."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import thexp_pl
from thexp_pl.errors import ThexpError
from thexp_pl.record.sweep_folder import SweepFolder
from thexp_pl.sweeps.driver import drive
from thexp_pl.sweeps.source import ListSource
from thexp_pl.sweeps.sweep import read_points, read_sweep


class Told:
    """Prints what the driver tells."""

    def begun(self, point: Any) -> None:
        told(begun=point.number)

    def ended(self, point: Any, state: Any, reason: str, *, again: bool) -> None:
        told(ended=point.number, status=state.status, reason=reason, again=again)

    def said(self, line: str) -> None:
        told(said=line)

    def looked(self, summary: Any, running: Any, hindrance: str = "") -> None:
        pass


def told(**facts: Any) -> None:
    print(json.dumps(facts), flush=True)


def main(root: str, key: str, options: dict[str, Any]) -> int:
    from thexp_pl.sweeps.engines.ray import RayEngine  # it takes the version up

    sweep = read_sweep(SweepFolder(Path(root), key))
    before = dict(os.environ)
    retries = options.pop("retries", 0)
    try:
        engine = RayEngine(**options)
        engine.check(Path(root))
    except ThexpError as error:
        told(refused=str(error))
        return error.exit_code
    source = ListSource(read_points(sweep))
    try:
        summary = drive(sweep, source, engine, retries=retries, listener=Told())
    except ThexpError as error:
        told(fault=str(error))
        return error.exit_code
    told(text=summary.text, changed=sorted(dict(os.environ).items() ^ before.items()))
    return summary.exit_code


if __name__ == "__main__":
    if sys.argv[4]:  # as if this machine had another release than the workers
        thexp_pl.__version__ = sys.argv[4]
    sys.exit(main(sys.argv[1], sys.argv[2], json.loads(sys.argv[3])))
