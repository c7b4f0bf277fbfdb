"""Board: its files as TensorBoard's own backend reads them, also while they grow."""

from __future__ import annotations

import json
import math
import struct
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from tensorboard.backend.event_processing.data_provider import MultiplexerDataProvider
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.backend.event_processing.event_file_loader import RawEventFileLoader
from tensorboard.backend.event_processing.plugin_event_multiplexer import EventMultiplexer
from tensorboard.plugins.base_plugin import TBContext
from werkzeug.test import Client

from thexp_pl.loggers.board import Board


def raise_it(error: Exception) -> None:
    raise error


def curves(folder: Path) -> dict[str, list[tuple[int, str]]]:
    accumulator = EventAccumulator(str(folder), size_guidance={"scalars": 0})
    accumulator.Reload()
    return {
        name: [(event.step, repr(event.value)) for event in accumulator.Scalars(name)]
        for name in accumulator.Tags()["scalars"]
    }


def test_a_name_that_is_no_utf_8_takes_no_other_value_with_it(tmp_path: Path) -> None:
    board = Board(tmp_path, raise_it)
    board.add_scalars(0, {"\udcff": 1.0, "loss": 2.0, "too much for 32 bits": -1e300})
    board.close()
    assert curves(tmp_path) == {
        "\\udcff": [(0, "1.0")],
        "loss": [(0, "2.0")],
        "too much for 32 bits": [(0, "-inf")],
    }


def test_one_call_is_one_event(tmp_path: Path) -> None:
    board = Board(tmp_path, raise_it)
    board.add_scalars(0, {f"value{index}": index for index in range(10)})
    board.close()
    (file,) = tmp_path.iterdir()
    assert len(list(RawEventFileLoader(str(file)).Load())) == 2  # the file's version, and this one


def test_a_file_cut_at_any_byte_gives_its_whole_events(tmp_path: Path) -> None:
    board = Board(tmp_path, raise_it)
    for step in range(3):
        board.add_scalars(step, {"loss": step})
    board.close()
    (file,) = tmp_path.iterdir()
    data = file.read_bytes()
    ends = [0]
    while ends[-1] < len(data):
        ends.append(ends[-1] + struct.unpack_from("<Q", data, ends[-1])[0] + 16)
    for cut in range(len(data)):
        file.write_bytes(data[:cut])
        whole = sum(end <= cut for end in ends[1:])
        assert len(list(RawEventFileLoader(str(file)).Load())) == whole


def test_a_value_is_in_the_file_while_training_goes_on(tmp_path: Path) -> None:
    board = Board(tmp_path, raise_it)
    board.add_scalars(3, {"loss": 1.0})
    deadline = time.monotonic() + 180
    while not list(tmp_path.iterdir()) or "loss" not in curves(tmp_path):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    board.close()
    assert curves(tmp_path) == {"loss": [(3, "1.0")]}


def test_no_thread_outlives_a_board(tmp_path: Path) -> None:
    before = set(threading.enumerate())  # those of other tests may end meanwhile
    board = Board(tmp_path, raise_it)
    board.add_scalars(0, {"loss": 1.0})
    (thread,) = set(threading.enumerate()) - before
    board.close()
    board.close()
    board.add_scalars(1, {"loss": 2.0})
    assert not thread.is_alive()
    assert set(threading.enumerate()) <= before


def test_several_threads_lose_no_value(tmp_path: Path) -> None:
    board = Board(tmp_path, raise_it)

    def work(thread: int) -> None:
        for step in range(300):
            board.add_scalars(step, {f"curve{thread}": step})

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    board.flush()
    for thread in threads:
        thread.join()
    board.close()
    assert curves(tmp_path) == {
        f"curve{thread}": [(step, repr(float(step))) for step in range(300)] for thread in range(4)
    }


def tab(folder: Path) -> dict[str, tuple[dict[str, Any], dict[str, Any]]]:
    """What the HParams tab shows of a folder of runs: by run its parameters and its metrics."""
    from tensorboard.plugins.hparams.hparams_plugin import HParamsPlugin  # warns when imported

    multiplexer = EventMultiplexer().AddRunsFromDirectory(str(folder))
    multiplexer.Reload()
    provider = MultiplexerDataProvider(multiplexer, str(folder))
    context = TBContext(data_provider=provider, multiplexer=multiplexer, logdir=str(folder))
    apps = HParamsPlugin(context).get_plugin_apps()

    def ask(page: str, question: dict[str, Any]) -> dict[str, Any]:
        environ = {"tensorboard.experiment_id": ""}
        answer = Client(apps[page]).post("/", data=json.dumps(question), environ_base=environ)
        found: dict[str, Any] = json.loads(answer.text)
        return found

    columns = ask("/experiment", {"experimentName": "", "includeMetrics": True})
    params = [{"hparam": info["name"]} for info in columns["hparamInfos"]]
    metrics = [{"metric": info["name"]} for info in columns["metricInfos"]]
    question = {
        "experimentName": "",
        "allowedStatuses": ["STATUS_UNKNOWN"],
        "colParams": params + metrics,
        "startIndex": 0,
        "sliceSize": 100,
    }
    return {
        session["name"]: (
            group["hparams"],
            {value["name"]["tag"]: value["value"] for value in session["metricValues"]},
        )
        for group in ask("/session_groups", question)["sessionGroups"]
        for session in group["sessions"]
    }


@pytest.mark.filterwarnings("ignore:html5lib")
def test_the_hparams_tab_shows_each_run_with_its_own_params_and_final_metrics(
    tmp_path: Path,
) -> None:
    board = Board(tmp_path / "one", raise_it)
    board.add_scalars(4, {"loss": 0.5, "acc": 0.25})
    optim = {"lr": 0.1, "nesterov": True, "betas": [0.5, 1]}
    seed = 2**63 + 1
    params = {"optim": optim, "clip": None, "seed": seed, "name": "一", "top": math.inf, "none": {}}
    board.add_hparams(params, {"loss": 0.125, "acc": 0.25, "test/acc": 0.75})
    board.close()
    other = Board(tmp_path / "two", raise_it)
    other.add_hparams({"depth": 3}, {"loss": math.nan})
    other.close()
    assert tab(tmp_path) == {
        "one": (
            {
                "optim.lr": 0.1,
                "optim.nesterov": True,
                "optim.betas": "[0.5, 1]",
                "clip": "None",
                "seed": str(seed),
                "name": "一",
                "top": "Infinity",
                "none": "{}",
            },
            {"loss": 0.125, "acc": 0.25, "test/acc": 0.75},
        ),
        "two": ({"depth": 3}, {"loss": "NaN"}),
    }
    # a curve whose last value is the final one gets no second point
    assert curves(tmp_path / "one")["acc"] == [(4, "0.25")]
