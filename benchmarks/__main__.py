"""``python -m benchmarks [NAME ...] [--repeats N] [--quick] [--json | --write]``."""

from __future__ import annotations

import argparse
import importlib
import json
import sys
from collections.abc import Iterator, Sequence
from datetime import date
from typing import NoReturn

from benchmarks import NAMES, harness, machine, results, tables
from benchmarks.report import Report


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """Refuse in one line."""
        self.exit(2, f"{self.prog}: {message}\n")


def main() -> int:
    """Run benchmarks; the exit code says only that they ran, not that their goals were held."""
    parser = _Parser(prog="python -m benchmarks", description=__doc__)
    known = ", ".join(NAMES)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {known}; default: all")
    parser.add_argument("--repeats", type=int, default=25, help="rounds; default: %(default)s")
    parser.add_argument("--quick", action="store_true", help="small sizes: only whether they run")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print JSON in place of tables")
    form.add_argument("--write", action="store_true", help="put them into RESULTS.md as well")
    options = parser.parse_args()
    if unknown := sorted(set(options.names) - set(NAMES)):
        parser.error(f"unknown: {', '.join(unknown)}; there are {known}")
    if options.write and options.quick:
        parser.error("--write keeps what was measured, and --quick measures nothing worth keeping")
    if options.repeats < 1:
        parser.error(f"--repeats {options.repeats}: at least 1")
    if options.write:
        try:
            results.kept()
        except results.SpoiltError as error:  # better now than after an hour of measuring
            parser.error(str(error))
    harness.pin()
    _show(_measured(options.names or NAMES, harness.Scale(options.repeats, options.quick)), options)
    return 0


def _show(reports: Iterator[tuple[str, Report]], options: argparse.Namespace) -> None:
    if options.json:
        json.dump({name: report.to_dict() for name, report in reports}, sys.stdout, indent=2)
        return
    for name, report in reports:
        tables.print_report(report)
        if options.write:  # one after another: what comes later may fail
            results.keep(name, report)


def _measured(names: Sequence[str], scale: harness.Scale) -> Iterator[tuple[str, Report]]:
    for name in names:
        harness.noise()
        report: Report = importlib.import_module(f"benchmarks.bench_{name}").report(scale)
        report.noise = harness.noise()
        report.where, report.date = machine.where(), date.today().isoformat()
        yield name, report


if __name__ == "__main__":
    sys.exit(main())
