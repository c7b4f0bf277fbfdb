"""``thexp-pl ui``: the live pages."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from thexp_pl.cli.commands.common import add_command, add_source, put, viewer_of

__all__ = ["add_parsers", "run_ui"]

_MOST = 65_535


def add_parsers(subparsers: Any) -> None:
    """Add the command.

    Args:
        subparsers: What ``ArgumentParser.add_subparsers`` gave.
    """
    parser = add_command(
        subparsers,
        "ui",
        run_ui,
        "show all runs in a browser on this machine, live",
        "It serves 127.0.0.1 only, and prints an address with a token; Ctrl-C ends it. It needs"
        " starlette and uvicorn: pip install 'thexp-pl[ui]'.",
    )
    parser.add_argument(
        "--port",
        metavar="N",
        type=_port,
        help="serve on this port, 0 for any; default: the first free one from 6007 on",
    )
    parser.add_argument("--open", action="store_true", help="open it in the browser too")
    add_source(parser, forms=())


def run_ui(arguments: argparse.Namespace) -> int:
    """Serve the pages until the process is interrupted.

    Args:
        arguments: What `add_parsers` says.

    Returns:
        0.

    Raises:
        UsageError: The port cannot be had, or a package is not installed.
        RecordError: The root, or the user's home, cannot be read.
        KeyboardInterrupt: It was interrupted, as it is to be.
    """
    from thexp_pl.record.roots import known_roots
    from thexp_pl.report.extras import needs

    for package in ("starlette", "uvicorn", "jinja2", "plotly", "pygments"):
        needs(package, "ui", "ui")
    from thexp_pl.ui.serving import serve

    viewer = viewer_of(arguments)
    if arguments.exps_dir is None:
        known_roots()  # a home that cannot be read is told here: the pages come later
    serve(viewer, arguments.port, _tell, _open if arguments.open else None)
    return 0


def _tell(address: str) -> None:
    put(f"thexp-pl ui: {address}")
    sys.stdout.flush()


def _open(address: str) -> None:
    import webbrowser

    webbrowser.open(address)


def _port(text: str) -> int:
    is_number = text.isascii() and text.isdecimal() and len(text) <= len(str(_MOST))
    if not is_number or int(text) > _MOST:
        raise argparse.ArgumentTypeError(f"{text!r} is no port: give a number from 0 to {_MOST}")
    return int(text)
