"""``python -m benchmarks [NAME ...] [--repeats N] [--json | --write]``."""

from __future__ import annotations

import argparse
import importlib
import json
import sys
from pathlib import Path

from benchmarks import harness, results


def main() -> int:
    """Run benchmarks; the exit code says only that they ran, not that their goals were held."""
    known = sorted(path.stem[6:] for path in Path(__file__).parent.glob("bench_*.py"))
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {known}; default: all")
    parser.add_argument("--repeats", type=int, default=25, help="rounds; default: %(default)s")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print JSON in place of tables")
    form.add_argument("--write", action="store_true", help="write RESULTS.md as well; runs all")
    options = parser.parse_args()
    unknown = set(options.names) - set(known)
    if unknown or (options.write and options.names):
        parser.error(f"unknown: {sorted(unknown)}" if unknown else "--write runs all benchmarks")
    harness.pin()
    reports = [
        importlib.import_module(f"benchmarks.bench_{name}").report(options.repeats)
        for name in options.names or known
    ]
    if options.json:
        json.dump([report.to_dict() for report in reports], sys.stdout, indent=2)
        return 0
    for report in reports:
        report.print()
    if options.write:
        (Path(__file__).parent / "RESULTS.md").write_text(results.markdown(reports), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
