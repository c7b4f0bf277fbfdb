"""``thexp-pl tag | rm | gc``: keeping the records of runs."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from thexp_pl.cli.commands.common import add_command, add_source, no_runs, put, put_json, viewer_of
from thexp_pl.errors import RecordError, UsageError

if TYPE_CHECKING:
    from thexp_pl.record.paths import RunPaths
    from thexp_pl.runs import ExperimentViewer, RunRow
    from thexp_pl.upkeep.purge import Purged

__all__ = ["add_parsers", "roots_of", "run_rm", "run_tag"]

_MAX_NAMED = 5


def add_parsers(subparsers: Any) -> None:
    """Add the commands.

    Args:
        subparsers: What ``ArgumentParser.add_subparsers`` gave.
    """
    tag = add_command(
        subparsers, "tag", run_tag, "add and remove tags and notes of runs, or list them"
    )
    tag.add_argument("words", metavar="KEY|QUERY", nargs="*", help="the runs; to list, all if none")
    tag.add_argument("--add", metavar="TAG", nargs="+", action="extend", help="tags to add")
    tag.add_argument("--remove", metavar="TAG", nargs="+", action="extend", help="tags to remove")
    tag.add_argument("--note", metavar="TEXT", help="a note to add")
    add_source(tag)
    remove = add_command(
        subparsers,
        "rm",
        run_rm,
        "move runs to the trash of their root, bring them back, or delete them for good",
        "`thexp-pl gc` empties the trash of what is older than 30 days.",
    )
    remove.add_argument("words", metavar="KEY|QUERY", nargs="*", help="the runs")
    deed = remove.add_mutually_exclusive_group()
    deed.add_argument("--purge", action="store_true", help="delete for good, also from the trash")
    deed.add_argument("--restore", action="store_true", help="bring back from the trash: KEY ...")
    deed.add_argument("--list", action="store_true", help="list what is in the trash")
    remove.add_argument("--yes", action="store_true", help="do not ask")
    remove.add_argument("--dry_run", action="store_true", help="say what would be done")
    add_source(remove)


def run_tag(arguments: argparse.Namespace) -> int:
    """Change the tags and notes of runs, or list them.

    Args:
        arguments: ``words``, ``add``, ``remove``, ``note``, ``exps_dir`` and ``json``.

    Returns:
        0.

    Raises:
        RecordError: A word means no run, or the notes of a run are damaged.
        UsageError: No run is named, or a tag is empty.
    """
    from thexp_pl.record.notes import change_notes, read_notes
    from thexp_pl.runs.selecting import select_runs

    add, remove = arguments.add or [], arguments.remove or []
    changes = bool(add or remove or arguments.note)
    if changes and not arguments.words:
        raise UsageError(
            "tag: name the runs before the tags, as in `thexp-pl tag @last --add best`"
        )
    if any(not tag.strip() for tag in (*add, *remove)):
        raise UsageError("tag: a tag is empty; give it at least one visible character")
    found = select_runs(viewer_of(arguments), arguments.words)
    rows = [row for row in found if arguments.words or not row.away]
    for row in rows if changes else ():
        change_notes(row.paths, add=add, remove=remove, note=arguments.note or "")
    kept = [(row, read_notes(row.paths)) for row in rows]
    if arguments.json:
        put_json([{"key": r.key, "experiment": r.experiment, **notes} for r, notes in kept])
    elif not rows:
        put("No run is meant." if arguments.words else no_runs(arguments.exps_dir))
    else:
        _print_notes(kept)
    return 0


def run_rm(arguments: argparse.Namespace) -> int:
    """Remove runs, bring them back, delete them, or list the trash.

    Args:
        arguments: ``words``, ``purge``, ``restore``, ``list``, ``yes``, ``dry_run``, ``exps_dir``
            and ``json``.

    Returns:
        0; 1 where the question was answered with no.

    Raises:
        RecordError: A word means no run, or a run cannot be removed.
        UsageError: No run is named, or there is nobody to ask.
    """
    if arguments.list:
        return _list_trash(arguments)
    if not arguments.words:
        raise UsageError("rm: name the runs by key or query; `thexp-pl list` shows them")
    if arguments.restore:
        return _restore(arguments)
    if arguments.purge:
        return _purge(arguments)
    from thexp_pl.runs.selecting import select_runs
    from thexp_pl.upkeep.trash import check_removable, remove

    viewer = viewer_of(arguments)
    paths = [row.paths for row in select_runs(viewer, arguments.words, taken_over=False)]
    left = _left(viewer, arguments.words, paths)
    if arguments.dry_run:
        check_removable(paths)
        _tell(arguments, "would move to the trash", paths)
    elif _may(arguments, len(paths) > 1, _question("Move {} to the trash", paths)):
        remove(paths)
        _tell(arguments, "moved to the trash", paths)
    else:
        return 1
    _tell_left(left)
    return 0


def roots_of(arguments: argparse.Namespace) -> list[Path]:
    """Give the roots that a command is about.

    Args:
        arguments: ``exps_dir``.

    Returns:
        That root, or all known ones.

    Raises:
        RecordError: The root is not there.
    """
    from thexp_pl.record.folders import as_root
    from thexp_pl.record.roots import known_roots

    if arguments.exps_dir is None:
        return known_roots()
    root = as_root(arguments.exps_dir)
    if not root.is_dir():
        raise RecordError(f"no experiment root {str(root)!r}: give a folder that holds runs")
    return [root.resolve()]


def _restore(arguments: argparse.Namespace) -> int:
    from thexp_pl.upkeep import restore
    from thexp_pl.upkeep.trash import find_trashed

    roots = roots_of(arguments)
    found = [paths for word in arguments.words for paths in find_trashed(roots, word)]
    trashed = list(dict.fromkeys(found))
    if arguments.dry_run:
        _tell(arguments, "would bring back", trashed)
    else:
        _tell(arguments, "brought back", restore(trashed))
    return 0


def _purge(arguments: argparse.Namespace) -> int:
    from thexp_pl.cli.advance import advancing
    from thexp_pl.upkeep.purge import plan_purge, purge
    from thexp_pl.upkeep.trash import check_removable, find_any, remove, root_of

    roots, viewer = roots_of(arguments), viewer_of(arguments)
    meant = [paths for word in arguments.words for paths in find_any(viewer, roots, word)]
    meant = list(dict.fromkeys(meant))
    kept = [paths for paths in meant if root_of(paths) == paths.root]
    check_removable(kept)
    left = _left(viewer, arguments.words, meant)
    if arguments.dry_run:
        _tell(arguments, "would delete", meant, plan_purge(meant))
        _tell_left(left)
        return 0
    if not _may(arguments, bool(meant), _question("Delete {} for good", meant)):
        return 1
    with advancing("deleting") as advance:
        removed = [*remove(kept), *(paths for paths in meant if paths not in kept)]
        plans = plan_purge(removed, progress=advance)
        advance(0, 0)
        purge(plans)
    _tell(arguments, "deleted", meant, plans)
    _tell_left(left)
    return 0


def _left(viewer: ExperimentViewer, words: Sequence[str], chosen: Sequence[RunPaths]) -> int:
    """Count the runs that sweeps have taken over from others, which have them still."""
    from thexp_pl.runs.keys import find_sweep
    from thexp_pl.runs.sweeps import taken_over

    index = viewer.index()
    keys = {find_sweep(index, word) for word in words}
    taken = (taken_over(index, key) for key in keys if key is not None)
    return len({paths for some in taken for paths in some} - {*chosen})


def _tell_left(count: int) -> None:
    if count:
        runs = "1 run that was" if count == 1 else f"{count} runs that were"
        sys.stderr.write(f"note: left alone: {runs} begun for another sweep\n")


def _list_trash(arguments: argparse.Namespace) -> int:
    if arguments.words:
        raise UsageError("rm: --list shows the whole trash; take the words away")
    from thexp_pl.upkeep.folders import is_run, trashed_runs

    trashed = [each for root in roots_of(arguments) for each in trashed_runs(root) if is_run(each)]
    if trashed or arguments.json:
        _tell(arguments, "", trashed)
    else:
        put("The trash is empty.")
    return 0


def _may(arguments: argparse.Namespace, must_ask: bool, question: str) -> bool:
    if arguments.yes or not must_ask:
        return True
    if not (sys.stdin and sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError(f"rm: {question} There is nobody to ask: give --yes, or --dry_run")
    from rich.prompt import Confirm
    from rich.text import Text

    from thexp_pl.record.names import escaped

    return Confirm.ask(Text(escaped(question)), default=False)


def _tell(
    arguments: argparse.Namespace,
    deed: str,
    runs: Sequence[RunPaths],
    plans: Sequence[Purged] = (),
) -> None:
    from thexp_pl.record.names import escaped

    if arguments.json:
        put_json([{"key": paths.key, "experiment": paths.experiment} for paths in runs])
        return
    if not runs:
        put("No run is meant.")
    for paths in runs:
        put(escaped(f"{deed} {paths.key}  {paths.experiment}".strip()))
    kept = "would keep" if arguments.dry_run else "kept"
    for plan in plans:
        why = f"may need it ({plan.doubt})" if plan.doubt else "went on from it"
        for file in plan.needed:
            name = file.relative_to(plan.paths.folder).as_posix()
            put(escaped(f"{kept}, as another run {why}: {plan.paths.key} {name}"))


def _print_notes(kept: Sequence[tuple[RunRow, dict[str, Any]]]) -> None:
    from thexp_pl.cli.output.tables import cell, console, grid

    table = grid(4)
    for row, found in kept:
        notes = "; ".join(note["text"] for note in found["notes"])
        tags = ", ".join(found["tags"])
        table.add_row(*map(cell, (row.key, row.experiment, tags, notes)))
    with console() as out:
        out.print(table)


def _question(deed: str, runs: Sequence[RunPaths]) -> str:
    some = ", ".join(f"{paths.key} ({paths.experiment})" for paths in runs[:_MAX_NAMED])
    more = f", and {len(runs) - _MAX_NAMED} more" if len(runs) > _MAX_NAMED else ""
    return f"{deed.format('1 run' if len(runs) == 1 else f'{len(runs)} runs')}: {some}{more}?"
