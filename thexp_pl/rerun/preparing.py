"""What reproduce, rollback and resume have in common: a folder with code and a command for it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from thexp_pl.record.rerun import VARIABLE, Rerun
from thexp_pl.rerun.code import restore_code
from thexp_pl.rerun.command import Command, command_of, why_not
from thexp_pl.rerun.data import link_data, link_root
from thexp_pl.rerun.folders import RerunFolder, made_whole
from thexp_pl.rerun.mirror import make_folder
from thexp_pl.rerun.moved import Moved
from thexp_pl.runs.run import Run

__all__ = ["Prepared", "prepare"]


@dataclass(frozen=True)
class Prepared:
    """A run that can be done again.

    Args:
        run: The recorded run.
        folder: Where it is done.
        moved: Where its project is in that folder.
        command: What does it.
        runs: The keys of the runs that its process had recorded, in the order of their start.
        hindrance: Why the command cannot be run by itself; an empty text where it can.
        shared: What of the project's data the run can change; an empty text for nothing.
    """

    run: Run
    folder: RerunFolder
    moved: Moved
    command: Command
    runs: tuple[str, ...]
    hindrance: str
    shared: str = ""


def prepare(
    run: Run,
    names: Iterable[Path],
    tell: Callable[[RerunFolder, RerunFolder], Rerun],
    *,
    link: Iterable[str] = (),
    project: Path | None = None,
    tree: str | None = None,
) -> Prepared:
    """Make a folder in which a run is done again.

    Args:
        run: The run.
        names: Names for the folder, see `made_whole`.
        tell: Fills in what else belongs there, into the folder as it is (its first argument) and
            as it will be named, and gives what the process is told.
        link: Further data to link.
        project: The folder that stands for the project, where its code is not to be restored.
        tree: The code to restore, as for `restore_code`.

    Returns:
        What to run.

    Raises:
        RecordError: It cannot be done again, or no folder be made; nothing is left of it.
        UsageError: The name is taken, or what is to be linked is not there.
    """
    shared = ""
    with made_whole(names) as (aside, final):
        moved = Moved(run, project or aside.code)
        if project is None:
            restore_code(run, aside.code, tree)
            shared = link_data(run, moved, link)
            link_root(run, moved)
        folder = command_of(run, moved).folder
        if not folder.is_dir():  # one that held nothing which was kept
            make_folder(folder, moved)
        told = tell(aside, final)
        inherited = told.write(aside.rerun)
    moved = Moved(run, project or final.code)
    command = command_of(run, moved)
    variables = {**command.variables, **inherited, VARIABLE: str(final.rerun)}
    command = replace(command, variables=variables)
    return Prepared(run, final, moved, command, told.runs, why_not(run), shared)
