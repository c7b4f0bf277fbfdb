"""docs/callbacks.md: its blocks run, and its tables name what there is."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

from docs_helpers import run_page

from thexp_pl import ExperimentViewer, callbacks
from thexp_pl.callbacks import BaseCallback, TrainCallback

PAGE = (Path(__file__).parents[1] / "docs" / "callbacks.md").read_text()
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def test_the_blocks_of_the_page_run(tmp_path: Path) -> None:
    done = run_page("".join(BLOCK.findall(PAGE)), tmp_path)

    assert done.returncode == 0, done.stderr
    (run,) = ExperimentViewer([tmp_path / "experiment"]).runs()
    assert (run.status, run.metrics["loss"]["count"]) == ("finished", 2)
    assert done.stdout.count("slowest batch") == 2


def test_the_table_names_every_callback_and_arguments_that_it_takes() -> None:
    shipped = dict(re.findall(r"^\| `([A-Z]\w+)\((.*?)\)` \|", PAGE, re.MULTILINE))

    assert set(shipped) == set(callbacks.__all__) - {"BaseCallback", "TrainCallback"}
    for name, arguments in shipped.items():
        known = inspect.signature(getattr(callbacks, name)).parameters
        assert {one for one in arguments.split(", ") if one not in ("", "...")} <= set(known)


def test_the_other_table_names_every_method_of_thexps_callbacks() -> None:
    named = set(re.findall(r"`(on_\w+)", PAGE))

    assert {name for name in dir(TrainCallback) if name.startswith("on_")} <= named
    assert {name for name in vars(BaseCallback) if name.startswith("on_")} <= named
