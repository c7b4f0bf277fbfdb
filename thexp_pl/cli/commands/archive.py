"""``thexp-pl export | import``: runs as one file, and back."""

from __future__ import annotations

import argparse
from typing import Any

from thexp_pl.cli.commands.common import add_command, add_source, put, put_json, viewer_of

__all__ = ["add_parsers", "run_export", "run_import"]


def add_parsers(subparsers: Any) -> None:
    """Add the commands.

    Args:
        subparsers: What ``ArgumentParser.add_subparsers`` gave.
    """
    export = add_command(
        subparsers,
        "export",
        run_export,
        "write runs, with their code, to one file",
        "`thexp-pl import` reads it on any machine.",
    )
    export.add_argument("words", metavar="KEY|QUERY", nargs="+", help="the runs")
    export.add_argument("-o", dest="file", metavar="FILE", required=True, help="such as run.zip")
    export.add_argument(
        "--no_checkpoints", action="store_true", help="without checkpoints, keypoints and models"
    )
    add_source(export)
    bring = add_command(
        subparsers,
        "import",
        run_import,
        "bring in the runs of a file that `export` wrote",
        "Every name and every hash is checked before anything is to be seen.",
    )
    bring.add_argument("file", metavar="FILE", help="such as run.zip")
    bring.add_argument(
        "--exps_dir",
        metavar="DIR",
        default="./experiment",
        help="the experiment root that they come to (default: %(default)s)",
    )
    bring.add_argument("--json", action="store_true", help="print JSON for machines")


def run_export(arguments: argparse.Namespace) -> int:
    """Write runs to a file.

    Args:
        arguments: ``words``, ``file``, ``no_checkpoints``, ``exps_dir`` and ``json``.

    Returns:
        0.

    Raises:
        RecordError: A run cannot be exported, or the file is there already.
    """
    from thexp_pl.cli.advance import advancing
    from thexp_pl.record.names import escaped
    from thexp_pl.runs.selecting import select_runs
    from thexp_pl.upkeep import export_runs

    rows = select_runs(viewer_of(arguments), arguments.words)
    with advancing("exporting", in_bytes=True) as advance:
        done = export_runs(
            [row.paths for row in rows],
            arguments.file,
            checkpoints=not arguments.no_checkpoints,
            progress=advance,
        )
    keys = [run.key for run in done.table.runs]
    if arguments.json:
        size = done.path.stat().st_size
        put_json({"file": done.path, "bytes": size, "runs": keys, "left_out": done.left_out})
        return 0
    for path, why in done.left_out:
        put(escaped(f"left out: {path}: {why}"))
    put(escaped(f"{_counted(keys)} in {done.path} ({done.path.stat().st_size:,} bytes)"))
    return 0


def run_import(arguments: argparse.Namespace) -> int:
    """Bring in the runs of a file.

    Args:
        arguments: ``file``, ``exps_dir`` and ``json``.

    Returns:
        0.

    Raises:
        RecordError: The file cannot be imported; nothing of it was taken.
    """
    from thexp_pl.cli.advance import advancing
    from thexp_pl.record.names import escaped
    from thexp_pl.upkeep import import_runs

    with advancing("importing", in_bytes=True) as advance:
        done = import_runs(arguments.file, arguments.exps_dir, progress=advance)
    new, known = [paths.key for paths in done.runs], [paths.key for paths in done.known]
    if arguments.json:
        bare = done.without_code
        put_json({"root": done.root, "runs": new, "known": known, "without_code": bare})
        return 0
    if known:
        put(escaped(f"{_counted(known)} in {done.root} already: {', '.join(known)}"))
    for key in done.without_code:
        put(escaped(f"without its code, which the archive does not hold: {key}"))
    put(escaped(f"{_counted(new)} imported into {done.root}{': ' * bool(new)}{', '.join(new)}"))
    return 0


def _counted(keys: list[str]) -> str:
    return "1 run" if len(keys) == 1 else f"{len(keys)} runs"
