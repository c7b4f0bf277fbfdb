"""A run once more, from its start: the recorded code, command and random states."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from thexp_pl.errors import RecordError
from thexp_pl.record.names import shown
from thexp_pl.record.rerun import Rerun
from thexp_pl.rerun.child import Ended, run_again, run_of
from thexp_pl.rerun.code import check_whole
from thexp_pl.rerun.data import name_left_out
from thexp_pl.rerun.differences import Difference, differences
from thexp_pl.rerun.folders import RerunFolder, given, within
from thexp_pl.rerun.moved import Moved
from thexp_pl.rerun.origin import origin_of
from thexp_pl.rerun.preparing import Prepared, prepare
from thexp_pl.rerun.siblings import runs_of_process
from thexp_pl.rerun.verifying import Verdict, verify
from thexp_pl.runs.run import Run

__all__ = [
    "Reproduction",
    "check_the_same",
    "prepare_reproduction",
    "reproduce",
    "start_reproduction",
]


@dataclass(frozen=True)
class Reproduction:
    """What became of it.

    Args:
        prepared: What was run, and where.
        differences: What was not as it was then.
        run: The new run; None where the command recorded none.
        fault: How the command failed; an empty text where it did not.
        verdict: How the two runs compare, where that was asked for.
    """

    prepared: Prepared
    differences: list[Difference]
    run: Run | None
    fault: str
    verdict: Verdict | None = None


def reproduce(
    run: Run,
    *,
    to: str | os.PathLike[str] | None = None,
    link: Iterable[str] = (),
    strict: bool = False,
    verified: bool = False,
    ignore: Iterable[str] = (),
) -> Reproduction:
    """Run a recorded run again, as a new run whose parent it is.

    Its code is restored into a new folder, and that code runs, whatever became of the project
    since; its random states are set; what it prints goes through.

    Args:
        run: The run.
        to: The folder to make; by default one in the experiment root's own hidden folder.
        link: Data of the project, left out of the snapshot, that the restored project is to see;
            what the run declared by ``uses`` is brought in by itself, see `thexp_pl.rerun.mirror`.
        strict: Run nothing where Python, packages or data are not as they were.
        verified: Compare metrics, weights and states of the two.
        ignore: Patterns of names of metrics that are not compared.

    Returns:
        What became of it.

    Raises:
        RecordError: It cannot be run again, or with `strict` something is not as it was.
        UsageError: The folder is taken, or what is to be linked is not there.
    """
    prepared = prepare_reproduction(run, to=to, link=link)
    found = differences(run, prepared.moved)
    if strict:
        check_the_same(found)
    again, fault = start_reproduction(prepared)
    verdict = verify(run, again, ignore=ignore) if verified and again is not None else None
    return Reproduction(prepared, found, again, fault, verdict)


def prepare_reproduction(
    run: Run, *, to: str | os.PathLike[str] | None = None, link: Iterable[str] = ()
) -> Prepared:
    """Restore the code of a run, and make the command that reproduces it.

    Args:
        run: The run.
        to: As in `reproduce`.
        link: As in `reproduce`.

    Returns:
        What is to be run.

    Raises:
        CheckpointError: It went on from a checkpoint that is gone.
        RecordError: It cannot be run again.
        UsageError: As `reproduce`.
    """
    check_whole(run)
    runs = runs_of_process(run)
    keys = tuple(each.key for each in runs)
    first = runs[0]
    parent = (first.manifest["parent"] or {}).get("key")
    checkpoint = None if parent in keys else origin_of(first, Moved(first, Path()))

    def tell(aside: RerunFolder, final: RerunFolder) -> Rerun:
        origin = "" if checkpoint is None else str(checkpoint)
        return Rerun("reproduced", keys, run.paths.root, final.code, origin)

    names = within(run.paths.root, "reproduced", run.key) if to is None else [given(to)]
    return prepare(run, names, tell, link=link)


def check_the_same(found: Sequence[Difference]) -> None:
    """Refuse to run where something is not as it was.

    Args:
        found: What differs.

    Raises:
        RecordError: Something does.
    """
    if found:
        raise RecordError(
            f"{len(found)} of Python, packages and data are not as they were, such as {found[0]}:"
            " nothing was run; without --strict it is"
        )


def start_reproduction(prepared: Prepared) -> tuple[Run | None, str]:
    """Run the command of a run to its end.

    Args:
        prepared: What is to be run.

    Returns:
        The new run, None where the command recorded none; how the command failed, an empty text
        where it did not.

    Raises:
        KeyboardInterrupt: Ctrl-C was pressed.
        RecordError: The command cannot be run by itself.
    """
    run = prepared.run
    if prepared.hindrance:
        raise RecordError(
            f"the run {shown(run.key)} cannot be started by itself: {prepared.hindrance}; its code"
            f" is in {shown(str(prepared.folder.code))}: with --dry_run the command is shown"
        )
    ended = run_again(prepared.command, run.paths.root)
    again = run_of(run.paths.root, prepared.runs.index(run.key), ended)
    return again, _fault(run, ended)


def _fault(run: Run, ended: Ended) -> str:
    if not ended.fault:
        return ""
    left_out = name_left_out(run)
    hint = f"; the snapshot had left out {left_out}: --link brings them in" if left_out else ""
    return f"the command ended with {ended.fault}{hint}"
