"""Searches over light scripts, for the tests of `thexp_pl.sweeps.search`."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from thexp_pl.sweeps.attempt import AlreadyDone, begin_attempt
from thexp_pl.sweeps.point import Point
from thexp_pl.sweeps.search import SearchSettings, StudySource
from thexp_pl.sweeps.search.study import open_study, quiet
from thexp_pl.sweeps.standing import standing, state_of
from thexp_pl.sweeps.submission import held, submit
from thexp_pl.sweeps.sweep import Sweep, read_points

SECONDS = 240  # a process that takes longer hangs; some import torch and optuna
SPACE = {"x": "-10.0..10.0", "n": "1..8", "kind": "a,b,c"}
SCRIPT = """
import math
from thexp_pl import Experiment, Params

params = Params()
params.x, params.n, params.kind = 0.0, 1, "a"
params.from_args()
with Experiment("./experiment", "light", code=False, console=False) as experiment:
    experiment.params = params.settings()
    x, n, kind = params.x, params.n, params.kind
    experiment.log_metrics(0, 0, {"loss": %s})
"""
BOWL = "(x - 2) ** 2 + abs(n - 5) + (kind != 'b')"


def settings_of(**options: Any) -> SearchSettings:
    return SearchSettings(**{"metric": "loss", "ranges": SPACE, **options})


def submitted(settings: SearchSettings, loss: str = BOWL) -> Sweep:
    """Write the script into the working directory, and submit a search over it."""
    Path("light.py").write_text(SCRIPT % loss)
    words, names = ["light.py"], list(settings.ranges)
    return submit("./experiment", words, names, [], command="a test", study=settings.told())


def digest(values: Mapping[str, str]) -> str:
    return repr(sorted(values.items()))


def source_of(
    sweep: Sweep,
    settings: SearchSettings,
    trials: int,
    said: Callable[[str], object] = print,
) -> StudySource:
    return StudySource(sweep, settings, trials, digest, said)


def run(sweep: Sweep, point: Point) -> None:
    with contextlib.suppress(AlreadyDone):
        begin_attempt(sweep, point).wait(SECONDS)


def search(
    settings: SearchSettings,
    trials: int,
    loss: str = BOWL,
    said: Callable[[str], object] = print,
    run: Callable[[Sweep, Point], None] = run,
) -> Sweep:
    """Search with one run at a time, each a process of its own; what is done is not run again."""
    sweep = submitted(settings, loss)
    with held(sweep):
        source = source_of(sweep, settings, trials, said)
        while (point := source.next()) is not None:
            run(sweep, point)
            source.told(point, state_of(sweep, point))
    return sweep


def trials_of(sweep: Sweep, settings: SearchSettings) -> list[Any]:
    with quiet():
        return open_study(sweep.paths, settings).get_trials()


def tried(sweep: Sweep) -> list[dict[str, str]]:
    return [dict(point.values) for point in read_points(sweep)]


def losses(sweep: Sweep) -> list[float]:
    """Give what the runs have recorded, in the order of the points."""
    states = standing(sweep, read_points(sweep)).values()
    return [state.run.metrics["loss"]["last"] for state in states if state.run is not None]
