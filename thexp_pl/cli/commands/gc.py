"""``thexp-pl gc``: dropping what nothing needs, and checking what is kept."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from thexp_pl.cli.commands.common import add_command, add_source, no_runs, put, put_json, viewer_of
from thexp_pl.cli.commands.upkeep import roots_of
from thexp_pl.errors import UsageError

if TYPE_CHECKING:
    from thexp_pl.upkeep.checking.check import Checked
    from thexp_pl.upkeep.collecting import Collected

__all__ = ["add_parsers", "run_gc"]


def add_parsers(subparsers: Any) -> None:
    """Add the command.

    Args:
        subparsers: What ``ArgumentParser.add_subparsers`` gave.
    """
    parser = add_command(
        subparsers,
        "gc",
        run_gc,
        "drop what nothing needs, or with --check find what is damaged",
        "Dropped are runs that were long in the trash, code that no run names, and what killed"
        " processes have left; never what a run needs to be restored, nor code and leftovers that"
        " are younger than a day. --check ends with 1 where something is damaged.",
    )
    parser.add_argument(
        "words", metavar="KEY|QUERY", nargs="*", help="with --check: these runs only"
    )
    parser.add_argument("--check", action="store_true", help="check every hash; drop nothing")
    parser.add_argument(
        "--older_than",
        metavar="SPAN",
        help="how long in the trash: 12h, 30d, 2w (default: 30d)",
    )
    parser.add_argument("--dry_run", action="store_true", help="say what would be dropped")
    add_source(parser)


def run_gc(arguments: argparse.Namespace) -> int:
    """Drop what nothing needs, or check what is there.

    Args:
        arguments: ``words``, ``check``, ``older_than``, ``dry_run``, ``exps_dir`` and ``json``.

    Returns:
        0; 1 where something is damaged, so that it was found or that code could not be dropped.

    Raises:
        RecordError: A word means no run, or a folder cannot be looked into.
        UsageError: Words or flags do not go together.
    """
    if arguments.check:
        if arguments.older_than or arguments.dry_run:
            raise UsageError("gc: --check drops nothing: take --older_than and --dry_run away")
        return _check(arguments)
    if arguments.words:
        raise UsageError("gc: words choose what --check looks at; `thexp-pl rm` removes runs")
    from datetime import timedelta

    from thexp_pl.cli.advance import advancing
    from thexp_pl.runs.query.times import parse_span
    from thexp_pl.upkeep import collect

    # a span beyond `timedelta` would be older than any run
    seconds = min(parse_span(arguments.older_than or "30d"), timedelta.max.total_seconds() / 2)
    span = timedelta(seconds=seconds)
    with advancing("looking for what nothing needs") as advance:
        found = [
            collect(root, older_than=span, dry_run=arguments.dry_run, progress=advance)
            for root in roots_of(arguments)
        ]
    if arguments.json:
        put_json(found)
    elif found:
        for one in found:
            _tell(one, dry_run=arguments.dry_run)
    else:
        put(no_runs(arguments.exps_dir))
    return int(any(one.refused for one in found))


def _tell(found: Collected, *, dry_run: bool) -> None:
    from thexp_pl.record.names import escaped

    counts = (
        (found.runs, "run", "runs"),
        (found.snapshots, "code snapshot", "code snapshots"),
        (found.folders, "restored folder", "restored folders"),
        (found.temporary, "leftover file", "leftover files"),
    )
    parts = [f"{len(what)} {many if len(what) != 1 else one}" for what, one, many in counts if what]
    deed = "would free up to" if dry_run else "freed"
    what = ", ".join(parts) or "nothing to drop"
    put(escaped(f"{found.root}: {deed} {found.freed:,} bytes: {what}"))
    why = f"may need it ({found.doubt})" if found.doubt else "went on from it"
    for file in found.needed:
        put(escaped(f"kept, as another run {why}: {file.relative_to(found.root)}"))
    if found.refused:
        put(escaped(found.refused))


def _check(arguments: argparse.Namespace) -> int:
    from thexp_pl.cli.advance import advancing
    from thexp_pl.record.names import escaped
    from thexp_pl.upkeep import check, sizes_of

    paths = _chosen(arguments)
    with advancing("looking at runs") as advance:
        sizes = sizes_of(paths, advance)
    with advancing("checking", in_bytes=True) as advance:
        found = check(paths, sizes=sizes, progress=advance)
    if arguments.json:
        put_json(found)
        return int(bool(found.damaged))
    if not paths:
        put(no_runs(arguments.exps_dir))
    for title, faults in _faults(found):
        for fault in faults:
            where = " ".join(filter(None, (fault.run, fault.path)))
            put(escaped(f"{title}: {where}: {fault.what}"))
    for key in found.running:
        put(escaped(f"running: {key}: its files still change, and were not checked"))
    if paths:
        count = "1 run" if found.runs == 1 else f"{found.runs} runs"
        faults = f"{len(found.damaged)} damaged" if found.damaged else "nothing is damaged"
        put(f"checked {count}: {faults}")
    return int(bool(found.damaged))


def _chosen(arguments: argparse.Namespace) -> Sequence[Any]:
    if arguments.words:
        from thexp_pl.runs.selecting import select_runs

        return [row.paths for row in select_runs(viewer_of(arguments), arguments.words)]
    from thexp_pl.upkeep.folders import kept_runs

    return [paths for root in roots_of(arguments) for paths in kept_runs(root)]


def _faults(found: Checked) -> tuple[tuple[str, Sequence[Any]], ...]:
    return ("damaged", found.damaged), ("gone", found.gone), ("changed data", found.changed)
