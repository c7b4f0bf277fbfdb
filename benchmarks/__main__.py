"""``python -m benchmarks NAME [--repeats N] [--json]``."""

from __future__ import annotations

import argparse
import importlib
import json
import sys
from pathlib import Path

from benchmarks import harness


def main() -> int:
    """Run one benchmark; the exit code says only that it ran, not that its goals were held."""
    names = sorted(path.stem[6:] for path in Path(__file__).parent.glob("bench_*.py"))
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("name", choices=names, help="what to measure")
    parser.add_argument("--repeats", type=int, default=25, help="rounds; default: %(default)s")
    parser.add_argument("--json", action="store_true", help="print JSON in place of tables")
    options = parser.parse_args()
    harness.pin()
    report = importlib.import_module(f"benchmarks.bench_{options.name}").report(options.repeats)
    if options.json:
        json.dump(report.to_dict(), sys.stdout, indent=2)
    else:
        report.print()
    return 0


if __name__ == "__main__":
    sys.exit(main())
