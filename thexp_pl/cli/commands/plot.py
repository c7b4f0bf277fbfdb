"""``thexp-pl plot``: curves of metrics as a figure for a paper."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from thexp_pl.cli.commands.common import add_command, add_source, no_runs, put, put_json, viewer_of
from thexp_pl.cli.commands.compare import add_runs, names_of
from thexp_pl.cli.commands.plot_board import add_board, run_board
from thexp_pl.errors import RecordError
from thexp_pl.record.names import escaped

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from thexp_pl.runs.row import RunRow

__all__ = ["add_parsers", "run_plot"]

_PATH = 200  # letters
_NOTES = 20  # lines


def add_parsers(subparsers: Any) -> None:
    """Add the command.

    Args:
        subparsers: What ``ArgumentParser.add_subparsers`` gave.
    """
    parser = add_command(
        subparsers,
        "plot",
        run_plot,
        "draw metrics of runs as a figure for a paper",
        "A panel for each metric, a curve for each run, or with --by for each group of repeats."
        " Needs matplotlib: pip install 'thexp-pl[report]'.",
    )
    add_runs(parser)
    parser.add_argument(
        "--tags",
        metavar="A,B",
        action="append",
        help="metrics, or patterns such as 'eval_*'; default: all",
    )
    parser.add_argument(
        "-o",
        dest="output",
        metavar="FILE",
        action="append",
        required=True,
        help="write it there (.pdf, .svg, .png); may be given again",
    )
    _add_groups(parser)
    _add_look(parser)
    add_board(parser)
    add_source(parser)


def _add_groups(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--by",
        metavar="A,B",
        action="append",
        help="runs of equal A, B are repeats: draw their mean; or all-but-seed",
    )
    parser.add_argument(
        "--band",
        metavar="KIND",
        default="std",
        help="around a mean: std (default), ci (95 %% interval, needs scipy), minmax, none",
    )
    parser.add_argument("--seed", metavar="NAME", default="", help="the parameter that is the seed")
    parser.add_argument(
        "--mix", action="store_true", help="leave runs of different code or packages together"
    )


def _add_look(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--smooth",
        metavar="W",
        type=_weight,
        default=0.0,
        help="smooth as TensorBoard does, with a weight from 0 to below 1",
    )
    parser.add_argument(
        "--x", metavar="AXIS", default="step", help="step (default), epoch, or time since the start"
    )
    parser.add_argument("--log_x", action="store_true", help="a logarithmic x axis")
    parser.add_argument("--log_y", action="store_true", help="logarithmic y axes")
    parser.add_argument(
        "--width",
        metavar="INCHES",
        default="single",
        help="single (3.3, default), double (6.9) or a number of inches",
    )
    parser.add_argument("--height", metavar="INCHES", type=float, help="default: what it needs")
    parser.add_argument("--title", metavar="TEXT", default="", help="above the figure")


def _weight(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no weight: give one from 0 to below 1, such as 0.6"
        ) from None


def run_plot(arguments: argparse.Namespace) -> int:
    """Draw metrics of runs, and write the figure; what it leaves out is said on stderr.

    Args:
        arguments: What the command line gave.

    Returns:
        0.

    Raises:
        UsageError: A name is not there, a number is out of its range, or a file cannot be of that
            form.
        RecordError: A key means no run, there is none, or a file is there already or cannot be
            written.
    """
    from thexp_pl.record.outputs import refuse_taken
    from thexp_pl.report.extras import needs
    from thexp_pl.report.figures.style import checked_suffix
    from thexp_pl.runs.selecting import select_runs

    if arguments.board or arguments.formats:
        return run_board(arguments)
    targets = [Path(word) for word in dict.fromkeys(arguments.output)]
    for target in targets:
        checked_suffix(target)
        refuse_taken(target)
    needs("matplotlib", "a figure")
    rows = select_runs(viewer_of(arguments), arguments.runs)
    if not rows:
        nothing = no_runs(arguments.exps_dir)
        raise RecordError("no run matches: there is nothing to draw" if arguments.runs else nothing)
    remarks: list[str] = []
    figure = _figure(rows, arguments, remarks)
    for target in targets:
        _write(figure, target)
    if arguments.json:
        files = [{"file": target, "bytes": target.stat().st_size} for target in targets]
        put_json({"files": files, "remarks": remarks})
    else:
        for target in targets:
            put(escaped(str(target)))
    sys.stdout.flush()  # before what is said of it
    more = len(remarks) - _NOTES
    ending = [f"{more} more of the like; --json has all"] if more > 0 else []
    for text in (*remarks[:_NOTES], *ending):
        sys.stderr.write(f"note: {escaped(text)}\n")
    return 0


def _figure(rows: list[RunRow], arguments: argparse.Namespace, remarks: list[str]) -> Figure:
    from thexp_pl.report.figures import metric_figure

    by = names_of(arguments.by) or None
    keys = {row.key for row in rows}
    is_whole = by is None or all(not row.parent or row.parent in keys for row in rows)
    return metric_figure(
        rows,
        names_of(arguments.tags),
        by=by,
        band=arguments.band,
        smooth=arguments.smooth,
        x=arguments.x,
        log_x=arguments.log_x,
        log_y=arguments.log_y,
        width=arguments.width,
        height=arguments.height,
        title=arguments.title,
        seed=arguments.seed,
        mix=arguments.mix,
        lineage=[] if is_whole else viewer_of(arguments).rows(),
        remark=remarks.append,
    )


def _write(figure: Figure, target: Path) -> None:
    from thexp_pl.record.outputs import output_error
    from thexp_pl.report.figures import save_figure

    try:
        save_figure(figure, target)
    except OSError as error:
        raise output_error(target, error) from None
