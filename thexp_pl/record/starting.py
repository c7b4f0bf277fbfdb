"""What is gathered when a run starts: the machine, the packages, the code, the random states."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from thexp_pl.console.waiting import waiting
from thexp_pl.record.again import Turn
from thexp_pl.record.code import (
    GitError,
    NoGitError,
    copy_plainly,
    find_project,
    git_facts,
    restored_facts,
    take_snapshot,
)
from thexp_pl.record.facts import (
    begin_with,
    environment_facts,
    machine_facts,
    package_facts,
    random_facts,
)
from thexp_pl.record.faults import Tolerant
from thexp_pl.record.options import RecordOptions
from thexp_pl.record.paths import RunPaths
from thexp_pl.record.redact import Redactor
from thexp_pl.record.rerun import Rerun
from thexp_pl.record.swept import submission_of

__all__ = ["starting_facts"]


def starting_facts(
    paths: RunPaths,
    options: RecordOptions,
    redactor: Redactor,
    tolerant: Tolerant,
    turn: Turn | None = None,
) -> dict[str, Any]:
    """Gather the facts of a run that starts; what cannot be told is left out with a warning.

    Args:
        paths: The run; its code goes to the root's store, its random states to its folder.
        options: What the user chose.
        redactor: Takes secrets out.
        tolerant: Takes the faults.
        turn: The recorded run that it is again: one that is reproduced begins with the random
            states of that run; of one that goes on in place those of its first start stay.

    Returns:
        Entries of the manifest.
    """
    if turn is not None and turn.how == "reproduced":
        tolerant(begin_with, turn.parent.start_state)
    facts: dict[str, Any] = {}
    gatherers: tuple[Callable[[], dict[str, Any]], ...] = (
        machine_facts,
        lambda: package_facts(paths, redactor),
        lambda: environment_facts(redactor),
    )
    for gather in gatherers:
        facts |= tolerant(gather) or {}
    if turn is not None and turn.in_place:
        facts |= _code_facts(paths, turn.applied(options), redactor, tolerant, turn.restored)
        if (facts.get("code") or {}).get("tree") in (None, turn.tree):
            facts = {name: fact for name, fact in facts.items() if name not in ("code", "git")}
        return facts
    facts |= tolerant(random_facts, paths) or {}
    if turn is None:
        return facts | _code_facts(paths, options, redactor, tolerant)
    facts |= _code_facts(paths, turn.applied(options), redactor, tolerant, turn.restored)
    return {**facts, "parent": turn.origin}


def _code_facts(
    paths: RunPaths,
    options: RecordOptions,
    redactor: Redactor,
    tolerant: Tolerant,
    restored: str | None = None,
) -> dict[str, Any]:
    told = submission_of(paths)
    if told is not None:
        return tolerant(_submitted, told, paths, options) or dict(told.submitted)
    facts: dict[str, Any] = {}
    project = tolerant(find_project, options.project)
    code = None
    if options.code:
        with waiting("thexp_pl: keeping the code", "" if project is None else str(project)):
            code = tolerant(_code, project, paths, options, redactor, tolerant, restored)
        facts["code"] = code
    if project is not None and restored is None:
        facts["git"] = tolerant(_git, project, code, redactor)
    return facts


def _submitted(told: Rerun, paths: RunPaths, options: RecordOptions) -> dict[str, Any]:
    """Say which code a run of a sweep runs: that of the submission, unless a file was changed."""
    code = dict(told.submitted["code"])
    if options.code and told.project is not None:
        code = restored_facts(told.project, paths.root, code)
    return {**told.submitted, "code": code}


def _git(project: Path, code: dict[str, Any] | None, redactor: Redactor) -> Any:
    # The snapshot has listed what git does not track: that need not be done twice.
    return redactor.tree(git_facts(project, untracked=(code or {}).get("untracked")))


def _code(
    project: Path | None,
    paths: RunPaths,
    options: RecordOptions,
    redactor: Redactor,
    tolerant: Tolerant,
    restored: str | None,
) -> dict[str, Any]:
    limits: dict[str, Any] = {"max_bytes": options.max_file_bytes, "redact": redactor.text}
    if project is not None:
        try:
            return take_snapshot(project, paths.root, restored=restored, **limits)
        except (
            GitError,
            NoGitError,
        ) as error:  # none there, or it refuses: what runs is better than nothing
            tolerant.tell(error)
    return copy_plainly(paths.code, project, paths.root, **limits)
