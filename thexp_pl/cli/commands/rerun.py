"""``thexp-pl reproduce | rollback | resume``: recorded runs, run again or gone on with."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any

from thexp_pl.cli.advance import advancing
from thexp_pl.cli.commands.common import add_command, put, viewer_of

if TYPE_CHECKING:
    from thexp_pl.rerun.differences import Difference
    from thexp_pl.rerun.preparing import Prepared
    from thexp_pl.runs import Run

__all__ = ["add_parsers", "run_reproduce", "run_resume", "run_rollback"]

_NAMED = 8
_DECISIVE = {"torch", "numpy", "lightning", "pytorch-lightning", "torchvision", "thexp-pl"}
_KEY = "a run's key, the start of one, @last, or an experiment"


def add_parsers(subparsers: Any) -> None:
    """Add the commands.

    Args:
        subparsers: What ``ArgumentParser.add_subparsers`` gave.
    """
    _add_reproduce(subparsers)
    _add_rollback(subparsers)
    _add_resume(subparsers)


def _add_reproduce(subparsers: Any) -> None:
    parser = add_command(
        subparsers,
        "reproduce",
        run_reproduce,
        "run a recorded run again: its code, its command, its random states",
        "What is not as it was then is named. The new run's parent is the old one. Exits with 1"
        " where the command fails or, with --verify, the runs differ.",
    )
    parser.add_argument("key", metavar="KEY", help=_KEY)
    _add_folder(parser, "a new one in the experiment root's .thexp/reproduced")
    parser.add_argument(
        "--verify", action="store_true", help="compare metrics step by step, weights and states"
    )
    parser.add_argument(
        "--ignore",
        metavar="NAME",
        nargs="+",
        action="extend",
        default=[],
        help="metrics that --verify leaves out, such as 'time/*'",
    )
    parser.add_argument(
        "--link",
        metavar="PATH",
        nargs="+",
        action="extend",
        default=[],
        help="data in the project that the snapshot left out and the run needs",
    )
    parser.add_argument(
        "--strict",
        action="store_true",
        help="run nothing where Python, packages or data are not as they were",
    )
    _add_dry_run(parser)


def _add_rollback(subparsers: Any) -> None:
    parser = add_command(
        subparsers,
        "rollback",
        run_rollback,
        "restore a run as it was at a checkpoint, in a new folder",
        "Prints the command that goes on from there as a new run, with the same bits. The run"
        " itself stays as it is.",
    )
    parser.add_argument(
        "key",
        metavar="KEY[@CHECKPOINT]",
        help=f"{_KEY}; the checkpoint is last (the default), best, a number of completed epochs,"
        " or the name of a file in the run's modules/",
    )
    _add_folder(parser, "PROJECT@KEY beside the project")


def _add_resume(subparsers: Any) -> None:
    parser = add_command(
        subparsers,
        "resume",
        run_resume,
        "go on with a run in its own folder, from its newest valid checkpoint",
        "What it had recorded after that checkpoint is kept in its files, and passed over by"
        " readers.",
    )
    parser.add_argument("key", metavar="KEY", help=_KEY)
    parser.add_argument(
        "--code",
        choices=("recorded", "current"),
        default="recorded",
        help="the code as it was recorded (the default), or the project's as it is today",
    )
    _add_source(parser)
    _add_dry_run(parser)


def _add_folder(parser: argparse.ArgumentParser, default: str) -> None:
    parser.add_argument("--to", metavar="DIR", help=f"the folder to make; by default {default}")
    _add_source(parser)


def _add_source(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--exps_dir", metavar="DIR", help="look into this experiment root only, not all known ones"
    )


def _add_dry_run(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--dry_run", action="store_true", help="make the folder and print the command; run nothing"
    )


def run_reproduce(arguments: argparse.Namespace) -> int:
    """Reproduce a run.

    Args:
        arguments: ``key``, ``exps_dir``, ``to``, ``verify``, ``ignore``, ``link``, ``strict`` and
            ``dry_run``.

    Returns:
        0; 1 where the command failed, recorded no run, or the runs differ.

    Raises:
        RecordError: The run cannot be reproduced.
        UsageError: The folder is taken, or what is to be linked is not there.
    """
    from thexp_pl.rerun import reproducing
    from thexp_pl.rerun.differences import differences
    from thexp_pl.runs.codes import codes_of

    run = viewer_of(arguments).run(arguments.key)
    with advancing("restoring"):
        prepared = reproducing.prepare_reproduction(run, to=arguments.to, link=arguments.link)
    with advancing("comparing packages and data") as advance:
        found = differences(run, prepared.moved, progress=advance)
    _tell_folder(prepared)
    count = len(codes_of(run))
    if count > 1:
        _warn(
            f"{count} codes made this run, one after the other (`thexp-pl show {_escaped(run.key)}`"
            " names them): what is run from the start is the last of them"
        )
    _tell_differences(found)
    if arguments.strict:
        reproducing.check_the_same(found)
    if arguments.dry_run:
        return _tell_command(prepared)
    again, fault = reproducing.start_reproduction(prepared)
    if again is not None:
        put(f"run:     {_shown(again)} reproduces {_shown(run)}")
    code = 0
    if again is not None and arguments.verify:  # of one that failed too: up to there
        code = _verified(run, again, arguments.ignore)
    if fault:
        return _failed(fault)
    if again is None:
        return _failed("the command recorded no run that could be told to be this one again")
    return code


def _verified(run: Run, again: Run, ignore: list[str]) -> int:
    from thexp_pl.rerun import verify

    with advancing("verifying", in_bytes=True) as advance:
        verdict = verify(run, again, ignore=ignore, progress=advance)
    put(f"verify:  {verdict}")
    return 0 if verdict.identical else 1


def run_rollback(arguments: argparse.Namespace) -> int:
    """Roll a run back.

    Args:
        arguments: ``key`` (with the checkpoint), ``exps_dir`` and ``to``.

    Returns:
        0.

    Raises:
        CheckpointError: There is no such checkpoint.
        RecordError: The run cannot be restored.
        UsageError: The folder is taken.
    """
    from thexp_pl.rerun import rollback

    key, at, checkpoint = arguments.key.rpartition("@")
    if not key:  # `@last` is a run
        key, checkpoint = f"{at}{checkpoint}", ""
    run = viewer_of(arguments).run(key)
    with advancing("restoring"):
        done = rollback(run, checkpoint or "last", to=arguments.to)
    _tell_folder(done.prepared)
    found = done.found
    if found.path is None:
        put(f"from:    the start: {_escaped(found.passed_over)}")
        return _tell_command(done.prepared)
    if found.passed_over:
        _warn(found.passed_over)
    put(f"from:    {_escaped(found.place)}")
    if done.earlier:
        _warn(
            f"its process recorded {done.earlier} runs before this one, and the command does them"
            " anew: to go on from the checkpoint, name it in the script"
        )
    return _tell_command(done.prepared)


def run_resume(arguments: argparse.Namespace) -> int:
    """Go on with a run in its own folder.

    Args:
        arguments: ``key``, ``exps_dir``, ``code`` and ``dry_run``.

    Returns:
        0; 1 where the command failed.

    Raises:
        RecordError: The run cannot be gone on with.
    """
    from thexp_pl.rerun.resuming import prepare_resumption, start_resumption

    run = viewer_of(arguments).run(arguments.key)
    with advancing("restoring"):
        prepared, found = prepare_resumption(run, code=arguments.code)
    if found.passed_over:
        _warn(found.passed_over)
    put(f"resume:  {_shown(run)} from {_escaped(found.place)}")
    what = "as recorded" if arguments.code == "recorded" else "of today"
    put(f"code:    {what}, {_escaped(str(prepared.moved.code))}")
    if arguments.dry_run:
        return _tell_command(prepared)
    done = start_resumption(prepared, found)
    if done.went_on:
        put(f"run:     {_shown(done.run)} {done.run.status}")
    return _failed(done.fault) if done.fault else 0


def _tell_folder(prepared: Prepared) -> None:
    put(f"code:    {_escaped(str(prepared.folder.code))}")
    if prepared.shared:
        put(f"data:    {_escaped(prepared.shared)}")


def _tell_differences(found: list[Difference]) -> None:
    """Name what differs, of many packages those alone that decide most."""
    packages = [each for each in found if each.kind == "package"]
    packages.sort(key=lambda each: each.name.replace("_", "-").lower() not in _DECISIVE)
    named = set(packages[:_NAMED])
    for difference in found:
        if difference.kind != "package" or difference in named:
            put(f"differs: {difference}")
    if len(packages) > _NAMED:
        put(
            f"differs: {len(packages) - _NAMED} more packages: `thexp-pl diff` of the two runs"
            " lists them"
        )


def _tell_command(prepared: Prepared) -> int:
    if prepared.hindrance:
        _warn(f"the command cannot be run as it is: {prepared.hindrance}")
    put(f"command: {prepared.command.line()}")
    return 0


def _shown(run: Run) -> str:
    return _escaped(run.paths.relative)


def _escaped(text: str) -> str:
    from thexp_pl.record.names import escaped

    return escaped(text)


def _warn(text: str) -> None:
    sys.stderr.write(f"warning: {_escaped(text)}\n")


def _failed(text: str) -> int:
    sys.stderr.write(f"error: {_escaped(text)}\n")
    return 1
