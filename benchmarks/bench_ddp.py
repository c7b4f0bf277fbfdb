"""A step on two processes over gloo: the facade's averaging against Lightning's own "ddp"."""

from __future__ import annotations

import contextlib
import itertools
import multiprocessing
import tempfile
from collections.abc import Iterator
from functools import partial
from multiprocessing.connection import Connection

from benchmarks.harness import Scale, all_processors, in_turn
from benchmarks.report import Goal, Growth, Report

LOOPS = {
    "plain": "torch's DDP, plain loop",
    "bare": "Lightning ddp, manual_backward",
    "facade": "facade",
}
WIDTHS = ((32, 64, 10), (512, 1536, 1536, 256), (512, 3072, 3072, 1024))
QUICK_WIDTHS = ((32, 64, 10), (64, 128, 10))
WORLD = 2
WHY = (
    "The floor is a plain loop with torch's DistributedDataParallel, which sends gradients while"
    " the backward still runs. A train_batch may call backward several times before a step, so the"
    " facade averages after each backward, and nothing overlaps; before it does so, and twice at"
    " the end of a batch, the ranks agree by a few numbers on what they do. Of a small model the"
    " step is the waiting for these messages, each as long as it takes to wake the other rank; of a"
    " large one it is the gradients' way through memory: the facade sends large ones as they lie,"
    " where DistributedDataParallel copies all into its buckets and back."
)


def named(loop: str, size: int) -> str:
    """Name a case."""
    return f"{LOOPS[loop]}, {size:,} numbers"


def numbers(widths: tuple[int, ...]) -> int:
    """Count what a model of linear layers learns."""
    return sum(before * after + after for before, after in itertools.pairwise(widths))


@contextlib.contextmanager
def ranks(steps: int) -> Iterator[list[Connection]]:
    """Start the processes, and give the ways to ask them for what `ddp.run_rank` takes."""
    server = multiprocessing.get_context("forkserver")  # what others have started stays here
    server.set_forkserver_preload(["benchmarks.ddp"])  # one import for all ranks
    pipes = [server.Pipe() for _ in range(WORLD)]
    with tempfile.TemporaryDirectory() as folder:
        processes = [
            server.Process(target=_run_rank, args=(rank, folder, steps, theirs), daemon=True)
            for rank, (_, theirs) in enumerate(pipes)
        ]
        for process, (_, theirs) in zip(processes, pipes, strict=True):
            process.start()
            theirs.close()  # else a process that ends would be waited for
        try:
            yield [ours for ours, _ in pipes]
        finally:
            for ours, _ in pipes:
                with contextlib.suppress(OSError):  # it has ended
                    ours.send(None)
            for process in processes:
                process.join()


def _run_rank(rank: int, *args: object) -> None:
    from benchmarks.ddp import run_rank  # here, for it imports what only the ranks need

    run_rank(rank, WORLD, *args)  # type: ignore[arg-type]


def trained(ways: list[Connection], loop: str, widths: tuple[int, ...]) -> float:
    """Have all ranks train an epoch; give the seconds that a step took on the first."""
    for way in ways:
        way.send((loop, widths))
    seconds: list[float] = [way.recv() for way in ways]
    return seconds[0]


def report(scale: Scale) -> Report:
    """Measure steps of three sizes of model."""
    sizes = {numbers(widths): widths for widths in scale.pick(WIDTHS, QUICK_WIDTHS)}
    with all_processors(), ranks(scale.pick(30, 6)) as ways:
        cases = {
            named(loop, size): partial(trained, ways, loop, widths)
            for size, widths in sizes.items()
            for loop in LOOPS
        }
        for case in cases.values():  # the first epoch makes the model, and connections
            case()
        seconds = in_turn(cases, scale.rounds(5))
    goals = [Goal(named("facade", size), named("bare", size), 1.25) for size in sizes]
    growths = [
        Growth(f"a step, {name}", "numbers", {size: named(loop, size) for size in sizes})
        for loop, name in LOOPS.items()
    ]
    return Report("A step on two processes", seconds, goals, growths=growths, why=WHY)
