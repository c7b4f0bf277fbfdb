"""`watch` in a real kernel, of runs that another process records."""

from __future__ import annotations

import re
import shutil
from base64 import b64decode
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from notebook_helpers import Kernel, Shown, jupyters_own_warnings, kernel_in

from thexp_pl.record import Experiment

pytestmark = jupyters_own_warnings


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    with kernel_in(tmp_path_factory.mktemp("kernel")) as running:
        assert running.run("from thexp_pl import notebook, ExperimentViewer").status == "ok"
        running.run("viewer = ExperimentViewer('.')")
        yield running


@pytest.fixture
def exp(kernel: Kernel) -> Iterator[Any]:
    """A run of this process, in a root that the kernel's home does not know."""
    with Experiment(kernel.folder, "digits", code=False, console=False) as running:
        log(running, 0)
        yield running


def log(exp: Any, step: int, **values: float) -> None:
    exp.log_metrics(step, 0, {"loss": 1.0 / (step + 1), "loss_step": 2.0, **values})
    exp.flush()


def watched(
    kernel: Kernel, exp: Any, deed: Callable[[Shown], object], arguments: str = ""
) -> Shown:
    """Watch a run, and do something after each drawing."""
    return kernel.run(f"notebook.watch(viewer.run('{exp.key}'), every=0.05{arguments})", deed)


def picture_in(html: str) -> str:
    """Give the picture that an ``<img>`` holds."""
    (data,) = re.findall(r'src="data:image/svg\+xml;base64,([^"]+)"', html)
    return b64decode(data).decode()


def test_a_run_that_goes_on_is_drawn_anew_in_one_place_until_it_ends(
    kernel: Kernel, exp: Any
) -> None:
    steps = iter(range(1, 100))

    def deed(shown: Shown) -> None:
        if len(shown.displays) < 4:
            log(exp, next(steps), acc=0.5)
        else:
            exp.end_exp()

    shown = watched(kernel, exp, deed)

    assert (shown.status, shown.error) == ("ok", ("", []))
    assert len({display_id for _, display_id, _ in shown.displays}) == 1
    assert [is_update for is_update, *_ in shown.displays[:3]] == [False, True, True]
    first, last = (shown.displays[place][2] for place in (0, -1))
    assert ": running" in first["text/plain"]
    assert ": finished" in last["text/plain"]
    assert 'alt="curves of loss"' in first["text/html"]
    assert 'alt="curves of loss, acc"' in last["text/html"]
    assert len(picture_in(last["text/html"])) > len(picture_in(first["text/html"]))


def test_a_run_that_is_over_is_drawn_once_and_says_how_it_ended(kernel: Kernel, exp: Any) -> None:
    exp.finish("failed", ValueError("<b>no</b>"))
    shown = watched(kernel, exp, lambda shown: None)
    assert len(shown.displays) == 1
    assert "failed" in shown.html
    assert "ValueError &lt;b&gt;no&lt;/b&gt;" in shown.html


def test_an_interrupt_ends_the_watching_and_not_the_run(kernel: Kernel, exp: Any) -> None:
    def deed(shown: Shown) -> None:
        if len(shown.displays) == 2:
            kernel.interrupt()

    shown = watched(kernel, exp, deed)
    assert shown.status == "ok"
    assert "no longer watched; the run goes on" in shown.html
    assert exp.running
    assert "<img" in shown.html


def test_a_run_that_vanishes_is_said_to_be_gone(kernel: Kernel, exp: Any) -> None:
    copy = exp.path.with_name(f"{exp.key}-copy")  # of the same process, which goes on
    shutil.copytree(exp.path, copy)
    code = f"notebook.watch(viewer.run('{copy.name}'), every=0.05)"
    shown = kernel.run(code, lambda shown: copy.exists() and shutil.rmtree(copy))
    assert shown.status == "ok"
    assert "its folder is gone: it was moved or deleted" in shown.html
    assert "curves of loss" in shown.html  # what was seen of it last


def test_only_the_metrics_that_are_asked_for_are_drawn(kernel: Kernel, exp: Any) -> None:
    log(exp, 1, acc=0.5, eval_acc=0.4)
    exp.end_exp()
    shown = watched(kernel, exp, lambda shown: None, ", metrics='*acc,loss_step'")
    assert 'alt="curves of acc, eval_acc, loss_step"' in shown.html
    shown = watched(kernel, exp, lambda shown: None, ", metrics=['acd']")
    assert shown.error[0] == "UsageError"
    assert "these runs have no metric 'acd'; did you mean 'acc'?" in shown.error[1][-1]


def test_a_metric_that_is_not_there_yet_is_waited_for(kernel: Kernel, exp: Any) -> None:
    def deed(shown: Shown) -> None:
        if len(shown.displays) == 1:
            log(exp, 1, acc=0.5)
        elif "curves of acc" in shown.html:
            exp.end_exp()

    shown = watched(kernel, exp, deed, ", metrics='acc'")
    assert "No metrics are recorded yet" in shown.displays[0][2]["text/html"]
    assert ": finished" in shown.displays[-1][2]["text/plain"]


def test_without_matplotlib_the_curves_are_drawn_by_nothing_but_the_browser(
    kernel: Kernel, exp: Any
) -> None:
    exp.end_exp()
    kernel.run("import sys; kept = {n: m for n, m in sys.modules.items() if 'matplotlib' in n}")
    kernel.run("[sys.modules.pop(name) for name in kept]; sys.modules['matplotlib'] = None")
    try:
        shown = watched(kernel, exp, lambda shown: None)
    finally:
        kernel.run("sys.modules.pop('matplotlib'); sys.modules.update(kept)")
    assert shown.status == "ok"
    assert 'aria-label="loss: from 1 to 1, last 1"' in shown.html
    assert "<img" not in shown.html


def test_words_experiments_and_nonsense_are_told_apart(kernel: Kernel) -> None:
    code = """
    from thexp_pl import Experiment
    with Experiment("own", "<i>digits", code=False, console=False) as exp:
        exp.log_metrics(0, 0, {"<u>": 1.0})
    notebook.watch("@last")
    """
    shown = kernel.run(code)
    assert "&lt;i&gt;digits / " in shown.html
    assert 'alt="curves of &lt;u&gt;"' in shown.html
    assert kernel.run("notebook.watch(exp)").displays
    assert (
        "watch takes a key, a Run or an Experiment, not a int"
        in (kernel.run("notebook.watch(7)").error[1][-1])
    )
    assert kernel.run("notebook.watch('no-such')").error[0] == "RecordError"
