"""A training in a real kernel: its live curves, and what an interrupt does to it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from notebook_helpers import Kernel, Shown, jupyters_own_warnings, kernel_in

from thexp_pl.record.metrics import read_history
from thexp_pl.runs.run import Run, read_runs

pytestmark = jupyters_own_warnings


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    with kernel_in(tmp_path_factory.mktemp("kernel")) as running:
        assert running.run("from notebook_subjects import begin, went_as").status == "ok"
        yield running


def runs_in(kernel: Kernel, root: str) -> list[Run]:
    return read_runs([kernel.folder / root])


def trained_at_once(kernel: Kernel, epochs: int) -> None:
    """Leave in the kernel, as `whole`, a training that nobody interrupts."""
    assert kernel.run(f"whole = begin('whole', {epochs}); whole.train()").status == "ok"


# -- the curves ----------------------------------------------------------------------------------


def test_a_training_draws_its_curves_in_one_place_and_not_at_each_step(kernel: Kernel) -> None:
    shown = kernel.run("t = begin('drawn', 40); t.train()")

    assert (shown.status, shown.error) == ("ok", ("", []))
    assert [is_update for is_update, *_ in shown.displays[:2]] == [False, True]
    assert len({display_id for _, display_id, _ in shown.displays}) == 1
    assert 2 <= len(shown.displays) < 40
    assert "40 of 40 epochs, 200 batches" in shown.html
    assert 'aria-label="loss: from' in shown.html
    (run,) = runs_in(kernel, "drawn")
    assert f"{run.key}: 40 of 40 epochs" in shown.displays[-1][2]["text/plain"]


def test_a_test_draws_nothing_and_without_the_callback_a_training_neither(kernel: Kernel) -> None:
    assert kernel.run("t = begin('drawn', 1); t.train()").displays
    assert not kernel.run("t.evaluate('eval')").displays
    code = """
    from notebook_subjects import Drawing
    from thexp_pl.callbacks import NotebookCallback
    class Plain(Drawing):
        def initial_callback(self):
            self.remove_callback(NotebookCallback)
    from trainer_helpers import start
    start(Plain, "drawn", 1).train()
    """
    shown = kernel.run(code)
    assert (shown.status, shown.displays) == ("ok", [])


def test_a_plain_lightning_training_draws_its_curves_too(kernel: Kernel) -> None:
    code = """
    from trainer_helpers import PlainModule, make_loader, plain_trainer
    from thexp_pl import RunLogger
    from thexp_pl.callbacks import MeterCallback, NotebookCallback
    logger = RunLogger("plain", name="rings", code=False)
    callbacks = [MeterCallback(), NotebookCallback()]
    lightning = plain_trainer(max_epochs=3, logger=logger, callbacks=callbacks)
    lightning.fit(PlainModule(), make_loader())
    """
    shown = kernel.run(code)
    assert shown.status == "ok"
    assert "rings / " in shown.html
    assert "3 of 3 epochs, 15 batches" in shown.html
    assert 'aria-label="loss: from' in shown.html


def test_a_fault_of_drawing_is_one_warning_and_the_training_ends_well(kernel: Kernel) -> None:
    code = """
    import IPython.display
    kept = IPython.display.display
    def display(*args, **kwargs):
        raise ConnectionError("the browser is gone")
    IPython.display.display = display
    try:
        begin('faulty', 3).train()
    finally:
        IPython.display.display = kept
    """
    shown = kernel.run(code)
    assert shown.status == "ok"
    assert shown.text.count("are not shown: ConnectionError: the browser is gone") == 1
    assert [run.status for run in runs_in(kernel, "faulty")] == ["finished"]


# -- the interrupt -------------------------------------------------------------------------------


def test_an_interrupted_training_goes_on_in_the_same_run_to_the_same_bits(kernel: Kernel) -> None:
    trained_at_once(kernel, 3)
    kernel.run("t = begin('stopped', 3, (1, 4, 7, 11, 14))")  # two of them in an epoch's last batch

    said: list[str] = []
    for _ in range(4):
        shown = kernel.run("t.train()")
        assert shown.status == "error"
        assert shown.error[0] == "TrainingInterruptedError"
        said += shown.error[1]  # one line, in place of a traceback
        (run,) = runs_in(kernel, "stopped")
        assert (run.status, run.cause) == ("interrupted", {"signal": "SIGINT"})
        kernel.run("import torch; torch.rand(7); t.evaluate('eval')")
    shown = kernel.run("t.train()")  # the last batch of all has nothing behind it

    assert shown.error == (
        "TrainingInterruptedError",
        ["training interrupted as it ended; nothing is left to train"],
    )
    assert said == [
        f"training interrupted after {where}; train() goes on from there"
        for where in ("batch 2 of epoch 1", "epoch 1", "batch 3 of epoch 2", "batch 2 of epoch 3")
    ]
    (run,) = runs_in(kernel, "stopped")
    assert (run.status, run.cause) == ("finished", None)
    assert kernel.run("went_as(t, whole)").result == {"text/plain": "True"}


def test_the_button_that_interrupts_leaves_a_checkpoint_and_the_training_goes_on(
    kernel: Kernel,
) -> None:
    trained_at_once(kernel, 8)
    kernel.run("t = begin('button', 8, pause=0.25)")  # long enough for the button to be pressed

    def press(shown: Shown) -> None:
        if len(shown.displays) == 2:  # it trains
            kernel.interrupt()

    shown = kernel.run("t.train()", press)
    assert shown.error[0] == "TrainingInterruptedError"
    (run,) = runs_in(kernel, "button")
    assert run.status == "interrupted"
    seen = kernel.run("print(len(t._seen), t.saver.find_checkpoints()[-1].name)").text.split()
    assert 1 <= int(seen[0]) < 40
    assert (run.paths.folder / "modules" / seen[1]).exists()
    kernel.run("t.pause = 0")
    assert kernel.run("t.train()").status == "ok"
    assert kernel.run("went_as(t, whole)").result == {"text/plain": "True"}


def test_an_interrupt_while_the_first_one_pauses_changes_nothing(kernel: Kernel) -> None:
    trained_at_once(kernel, 3)
    code = """
    import os, signal
    t = begin('impatient', 3, (7,))
    pause = t.experiment.pause
    def press(*given):
        signal.raise_signal(signal.SIGINT)
        pause(*given)
        signal.raise_signal(signal.SIGINT)
    t.experiment.pause = press
    file, kept = os.open('said', os.O_CREAT | os.O_WRONLY), os.dup(2)
    os.dup2(file, 2)
    """
    kernel.run(code)

    shown = kernel.run("t.train()")
    kernel.run("os.dup2(kept, 2)")
    after = "training interrupted after batch 3 of epoch 2; train() goes on from there"
    assert shown.error == ("TrainingInterruptedError", [after])
    said = "interrupt: training pauses after this batch or evaluation; once more ends it at once"
    assert (kernel.folder / "said").read_text() == f"{said}\n"
    (run,) = runs_in(kernel, "impatient")
    assert run.status == "interrupted"
    assert not list((run.paths.folder / "modules").glob("emergency*"))
    kernel.run("t.experiment.pause = pause")
    assert kernel.run("t.train()").status == "ok"
    assert kernel.run("went_as(t, whole)").result == {"text/plain": "True"}


def test_an_interrupt_in_the_last_evaluation_ends_the_cell_too(kernel: Kernel) -> None:
    code = """
    import signal
    t = begin('tested', 1)
    logic = t.test_eval_logic
    def press(*given):
        signal.raise_signal(signal.SIGINT)
        return logic(*given)
    t.test_eval_logic = press
    t.train()
    """
    shown = kernel.run(code)

    assert shown.error[1] == ["training interrupted as it ended; nothing is left to train"]
    (run,) = runs_in(kernel, "tested")
    assert run.status == "finished"


def test_a_second_interrupt_before_anything_is_saved_names_the_way_that_there_is(
    kernel: Kernel,
) -> None:
    kernel.run("t = begin('unsaved', 2, (2,), times=2)")

    way = "no checkpoint was saved yet, so only a new trainer begins anew"
    (line,) = kernel.run("t.train()").error[1]
    assert line.endswith(f"epoch 1; train() begins that epoch again; {way}")
    assert way in kernel.run("t.train()").text


def test_a_second_interrupt_ends_it_at_once_and_the_epoch_begins_again(kernel: Kernel) -> None:
    kernel.run("t = begin('hurried', 3, (7,), times=2)")

    shown = kernel.run("t.train()")
    assert shown.error == (
        "TrainingInterruptedError",
        [
            "training interrupted in the midst of a batch of epoch 2; train() begins that epoch "
            "again; load_latest_checkpoint() before train() goes back to what was saved"
        ],
    )
    (run,) = runs_in(kernel, "hurried")
    assert run.status == "interrupted"
    shown = kernel.run("t.train()")
    assert shown.status == "ok"
    assert "epoch 2 begins again with its first batch" in shown.text
    assert kernel.run("t._seen[7:9]").result["text/plain"] == "[7, 7]"
    (run,) = runs_in(kernel, "hurried")
    assert (run.status, len(losses_of(run))) == ("finished", 3)


def test_after_a_second_interrupt_one_can_go_back_to_what_was_saved(kernel: Kernel) -> None:
    trained_at_once(kernel, 3)
    kernel.run("t = begin('back', 3, (7,), times=2)")
    assert kernel.run("t.train()").error[0] == "TrainingInterruptedError"

    assert kernel.run("t.load_latest_checkpoint(); t.train()").status == "ok"
    kernel.run("t._seen = whole._seen")
    assert kernel.run("went_as(t, whole)").result == {"text/plain": "True"}


def test_without_checkpoints_and_in_single_steps_it_can_be_interrupted_too(kernel: Kernel) -> None:
    trained_at_once(kernel, 3)
    kernel.run("t = begin('bare', 3, (1, 7), enable_checkpointing=False)")

    shown = kernel.run("t.train()")
    assert shown.error[1][0].startswith("training interrupted after batch 2 of epoch 1")
    shown = kernel.run("t.train_step(9)")
    assert shown.error[1][0].startswith("training interrupted after batch 3 of epoch 2")
    assert kernel.run("t.train_step(2); t.train()").status == "ok"
    assert kernel.run("went_as(t, whole)").result == {"text/plain": "True"}


def test_after_an_interrupt_the_next_one_is_the_kernels_own(kernel: Kernel) -> None:
    kernel.run("t = begin('after', 2, (2,))")
    code = """
    import signal
    try:
        t.train()
    except KeyboardInterrupt:
        print(signal.getsignal(signal.SIGINT) is signal.default_int_handler)
        signal.raise_signal(signal.SIGINT)
    """
    shown = kernel.run(code)
    assert "True" in shown.text.split()
    assert shown.error[0] == "KeyboardInterrupt"


def losses_of(run: Run) -> list[float]:
    rows = read_history(run.paths).rows()
    return [value for _, _, _, name, value in rows if name == "loss"]


# -- the example ---------------------------------------------------------------------------------


def test_the_example_is_kept_without_outputs_and_runs_to_its_end(kernel: Kernel) -> None:
    example = Path(__file__).parents[1] / "examples" / "notebook.ipynb"
    cells = [cell for cell in json.loads(example.read_text())["cells"] if "outputs" in cell]
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in cells)

    shown = [kernel.run("".join(cell["source"])) for cell in cells]

    assert [(each.status, each.error) for each in shown] == [("ok", ("", []))] * len(cells)
    assert "5 of 5 epochs" in shown[2].html
    assert "<svg" in shown[3].result["text/html"]
    assert "DigitsTrainer / " in shown[4].result["text/html"]
    assert "curves of loss, eval_loss, eval_acc" in shown[5].html
