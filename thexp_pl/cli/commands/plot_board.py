"""``thexp-pl plot --board``: what TensorBoard's event files hold, as files."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import warnings
from pathlib import Path
from typing import Any

from thexp_pl.cli.commands.common import put, put_json, viewer_of
from thexp_pl.cli.commands.compare import names_of
from thexp_pl.errors import RecordError, UsageError
from thexp_pl.record.names import escaped, shown

__all__ = ["add_board", "run_board"]

_PATH = 200  # letters
_FIGURES = ("by", "band", "seed", "mix", "x", "log_x", "log_y", "title")  # of metrics alone
_FORMATS = "png,csv"


def add_board(parser: argparse.ArgumentParser) -> None:
    """Add the flags.

    Args:
        parser: The parser of ``plot``, with all of its other flags.
    """
    parser.add_argument(
        "--board",
        action="store_const",
        const={name: parser.get_default(name) for name in _FIGURES},
        help="save instead all that TensorBoard's event files of a run, a folder or a file hold,"
        " into the new folder -o",
    )
    parser.add_argument(
        "--formats",
        metavar="A,B",
        action="append",
        help=f"with --board: png, svg, pdf, csv; default: {_FORMATS}",
    )


def run_board(arguments: argparse.Namespace) -> int:
    """Save what event files hold; what cannot be read is said on stderr.

    Args:
        arguments: What the command line gave.

    Returns:
        0.

    Raises:
        UsageError: A name is not there, or a flag cannot be meant.
        RecordError: There are no event files or nothing is in them, or the folder is there already
            or cannot be written.
    """
    if not arguments.board:
        raise UsageError(
            "--formats goes with --board; a figure of metrics has the form of its name"
        )
    for name, default in arguments.board.items():
        if getattr(arguments, name) != default:
            raise UsageError(f"--{name} is for figures of metrics: leave it out, or --board")
    if len(arguments.runs) != 1 or len(arguments.output) != 1:
        raise UsageError("--board takes one run, folder or event file, and one folder -o")
    word, target = arguments.runs[0], Path(arguments.output[0])
    if os.path.lexists(target):
        raise RecordError(
            f"there is a {shown(str(target), _PATH)} already: name a folder that is not there"
        )
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        saved = _save(arguments, target)
    # what libraries say of their own code is for nobody here
    texts = [str(warning.message) for warning in told if warning.category is UserWarning]
    remarks = list(dict.fromkeys(texts))
    if not saved:
        raise RecordError(
            "; ".join([f"there is nothing to save in {shown(word, _PATH)}", *remarks])
        )
    if arguments.json:
        files = [{"file": path, "bytes": path.stat().st_size} for path in saved]
        put_json({"files": files, "remarks": remarks})
    else:
        for path in saved:
            put(escaped(str(path)))
    sys.stdout.flush()  # before what is said of it
    for text in remarks:
        sys.stderr.write(f"note: {escaped(text)}\n")
    return 0


def _save(arguments: argparse.Namespace, target: Path) -> list[Path]:
    from thexp_pl.report.board import BoardPlotter

    board = BoardPlotter(_source(arguments))
    part = target.with_name(f".plot-{os.getpid()}")  # the folder until it is whole
    try:
        saved = board.save(
            part,
            names_of(arguments.tags) or None,
            names_of(arguments.formats) or _FORMATS.split(","),
            arguments.smooth,
            width=arguments.width,
            height=arguments.height,
        )
        if saved:
            part.rename(target)
        return [target / path.relative_to(part) for path in saved]
    except RecordError:
        raise
    except OSError as error:
        raise RecordError(
            f"cannot write into {shown(str(target), _PATH)}: {error.strerror or error}; name"
            " another folder"
        ) from None
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _source(arguments: argparse.Namespace) -> Any:
    word = arguments.runs[0]
    if os.path.lexists(word):
        return word
    try:
        return viewer_of(arguments).run(word)
    except RecordError as error:
        raise RecordError(
            f"no file or folder {shown(word, _PATH)}; and as a run: {error}"
        ) from None
