"""Params: classes of one's own, mixins, the device, grids, and the experiment's name."""

from __future__ import annotations

import pickle
import subprocess
import sys
from typing import Any

import pytest

from thexp_pl import BaseParams, Params
from thexp_pl.errors import BoundCheckError, ParamsError


class Optim(Params):
    def __init__(self) -> None:
        super().__init__()
        self.lr = 0.1
        self.name = "optim"


class Data(Params):
    def __init__(self) -> None:
        super().__init__()
        self.batch_size = 25
        self.epoch = 3
        self.name = "data"


class Log(Params):
    def __init__(self) -> None:
        super().__init__()
        self.every = 5
        self.name = "log"
        self.arange("epoch", 7, 1, 9)


def python(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.strip()


# -- inheritance -----------------------------------------------------------------------------------


def test_the_class_of_the_readme_prints_as_there():
    class BaseParams(Params):
        def __init__(self) -> None:
            super().__init__()
            self.batch_size = 50
            self.topk = (1, 2, 3, 4)
            self.optim_option(lr=0.009, moment=0.9)

    params = BaseParams()
    params.device = "cpu"
    assert repr(params) == (
        "BaseParams[('epoch', 10),\n ('eidx', 1),\n ('idx', 0),\n ('global_step', 0),\n"
        " ('device', 'cpu'),\n ('batch_size', 50),\n ('topk', (1, 2, 3, 4)),\n"
        " ('optim', {'lr': 0.009, 'moment': 0.9})]"
    )


def test_mixins_merge_their_defaults_and_the_leftmost_wins():
    class Mine(Optim, Data, Log):
        pass

    class Other(Log, Data, Optim):
        def __init__(self) -> None:
            super().__init__()
            self.own = 1

    assert (Mine().lr, Mine().batch_size, Mine().every) == (0.1, 25, 5)
    assert (Mine().name, Mine().epoch) == ("optim", 3)
    assert (Other().name, Other().epoch, Other().own) == ("log", 7, 1)
    with pytest.raises(BoundCheckError):
        Mine().epoch = 10


def test_mixins_called_one_by_one_lose_nothing_and_reset_no_default():
    class Old(Params):
        def __init__(self) -> None:
            Params.__init__(self)
            self.epoch = 99

    class Older(Params):
        def __init__(self) -> None:
            Params.__init__(self)
            self.size = 2

    class Mine(Old, Older, Optim):
        def __init__(self) -> None:
            Old.__init__(self)
            Older.__init__(self)
            Optim.__init__(self)

    assert (Mine().epoch, Mine().size, Mine().lr) == (99, 2, 0.1)


def test_a_value_set_before_the_base_class_is_initialised_stays():
    class Early(Params):
        def __init__(self) -> None:
            self.epoch = 1
            super().__init__()

    assert Early().epoch == 1
    assert Early().global_step == 0


def test_a_plain_mixin_gives_methods_and_properties():
    class Doubling:
        def doubled(self) -> int:
            return 2 * self.epoch  # type: ignore[attr-defined]

    class Mine(Params, Doubling):
        @property
        def half(self) -> float:
            return self.epoch / 2

        @staticmethod
        def unit() -> str:
            return "epochs"

    assert (Mine().doubled(), Mine().half, Mine().unit()) == (20, 5, "epochs")
    assert "half" not in Mine()
    with pytest.raises(ParamsError, match="has a member of that name"):
        Mine().half = 3


@pytest.mark.parametrize("value", [0.1, "sgd", (1, 2), None, True, print, {}])
def test_a_class_attribute_is_refused_since_it_would_be_no_parameter(value: Any):
    with pytest.raises(ParamsError, match=r"Mine\.lr: a class attribute .*'self\.lr = .*__init__"):
        type("Mine", (Params,), {"lr": value})
    mixin = type("Mixin", (), {"lr": value})
    with pytest.raises(ParamsError, match=r"Mixin\.lr: a class attribute"):
        type("Mine", (Params, mixin), {})


def test_an_annotation_alone_is_no_class_attribute():
    class Mine(Params):
        lr: float

        def __init__(self) -> None:
            super().__init__()
            self.lr = 0.1

    assert Mine().lr == 0.1


# -- the device, and what is imported --------------------------------------------------------------


def test_params_start_with_epoch_progress_and_device_and_base_params_with_nothing():
    params = Params()
    assert list(params) == ["epoch", "eidx", "idx", "global_step", "device"]
    assert (params.epoch, params.eidx, params.idx, params.global_step) == (10, 1, 0, 0)
    assert list(BaseParams()) == []


def test_importing_params_imports_no_heavy_library():
    heavy = "{'torch', 'numpy', 'yaml', 'docstring_parser', 'pytorch_lightning', 'rich'}"
    assert python(f"import thexp_pl.params, sys; print({heavy} & set(sys.modules))") == "set()"
    look = python(f"import thexp_pl.params, sys, yaml; print({heavy} & set(sys.modules))")
    assert look == "{'yaml'}"  # the look above would have seen it


def test_the_device_is_found_out_when_it_is_first_read():
    code = """
import pickle, sys
from types import SimpleNamespace
from thexp_pl import Params
asked = []
params = Params()
def is_available():
    asked.append(1)
    return True
sys.modules["torch"] = SimpleNamespace(cuda=SimpleNamespace(is_available=is_available))
params.update(epoch=3)
params.from_args(["--epoch", "4", "--optim.lr=1"])
assert params.copy().from_args(["--device", "cpu"]).device == "cpu"
params.to_yaml()
twin = pickle.loads(pickle.dumps(params.copy()))
grid = params.grid_search("epoch", [1])
"device" in params, params.flat(), params.lock(), dir(params)
assert not asked
assert (twin.device, twin.device, grid[0]["device"]) == ("cuda:0", "cuda:0", "cuda:0")
assert len(asked) == 2
assert params.to_dict()["device"] == "cuda:0"
assert dict(**Params())["device"] == "cuda:0" == dict(Params().items())["device"]
"""
    python(code)


def test_reading_the_device_gives_what_torch_says():
    import torch

    expected = "cuda:0" if torch.cuda.is_available() else "cpu"
    assert Params().device == expected
    assert python("from thexp_pl import Params; print(Params().device)") == expected


def test_no_torch_is_imported_until_the_device_is_read():
    code = (
        "import sys; from thexp_pl import Params; p = Params(); p.device = {device}; "
        "p.from_args([]); p.hash(); p.to_yaml(); print(p.device, 'torch' in sys.modules)"
    )
    assert python(code.format(device="'cpu'")) == "cpu False"
    assert python(code.format(device="__import__('torch').device('cpu')")) == "cpu True"


def test_an_unread_device_is_pickled_unread_and_shown_as_words_where_flags_are_listed():
    twin = pickle.loads(pickle.dumps(Params()))
    assert repr(twin.stored("device")) == "cuda:0 where there is one, else cpu"
    assert twin.device == twin.stored("device")


# -- grids -----------------------------------------------------------------------------------------


def test_grids_nest_as_loops_and_as_a_chain_alike():
    params = Params()
    params.optim_option(lr=0.1)
    looped = [
        point
        for a in params.grid_search("optim.lr", [0.1, 0.2])
        for b in a.grid_search("epoch", (1, 2))
        for point in b.grid_search("new", range(3))
    ]
    grid = params.grid_search("optim.lr", [0.1, 0.2]).grid_search("epoch", (1, 2))
    chained = grid.grid_search("new", iter(range(3)))
    assert list(chained) == looped
    assert len(chained) == 12
    assert [(p.optim.lr, p.epoch, p.new) for p in chained][:4] == [
        (0.1, 1, 0), (0.1, 1, 1), (0.1, 1, 2), (0.1, 2, 0)
    ]  # fmt: skip
    assert chained[-1].optim.lr == 0.2
    assert (params.optim.lr, params.epoch, "new" in params) == (0.1, 10, False)
    assert len(params.grid_search("epoch", [])) == 0


def test_points_share_neither_values_nor_lists():
    points = BaseParams().grid_search("seed", [1, 2]).grid_search("layers", [[8]])
    points[0].layers.append(16)
    assert points[1].layers == [8]


def test_a_bad_value_of_a_grid_is_refused_before_the_first_point():
    params = Params()
    params.arange("lr", 0.1, 0, 1)
    with pytest.raises(BoundCheckError, match=r"^lr: 2 "):
        params.grid_search("lr", [0.1, 2])
    with pytest.raises(BoundCheckError, match=r"^lr: 2 "):
        params.grid_search("epoch", [1]).grid_search("lr", (0.1, 2))
    with pytest.raises(ParamsError, match=r"optim: 'sgd' is no list of values; write \['sgd'\]"):
        params.grid_search("optim", "sgd")
    with pytest.raises(ParamsError, match="did you mean 'epoch'"):
        params.lock().grid_search("epch", [1])


# -- the experiment's name -------------------------------------------------------------------------


def test_the_name_is_made_of_text_and_parameters():
    params = Params()
    params.update(lr=0.01, tiny=1e-5, topk=(1, 5), optim={"lr": 0.1, "sched": {"gamma": 1}})
    build = params.build_exp_name
    assert build("mytrainer", "lr") == "mytrainer_lr=0.01"
    assert build("tiny", "topk", prefix="pre", sep="-") == "pre-tiny=1e-05-topk=(1, 5)"
    assert build("optim.lr", "eidx") == "optim.lr=0.1_eidx=1"
    assert build("optim") == "optim.lr=0.1_optim.sched.gamma=1"
    assert build("mytrainer", "lr", ignore_mode="del") == "lr=0.01"
    assert build("lr", ignore_mode="add", prefix="名") == "名_lr=0.01"
    with pytest.raises(ParamsError, match="ignore_mode 'drop' is unknown; use 'add' or 'del'"):
        build("lr", ignore_mode="drop")


def test_without_names_every_setting_is_named_and_no_progress():
    params = Params()
    params.device = "cpu"
    params.optim_option(lr=0.1)
    assert params.build_exp_name() == "epoch=10_device=cpu_optim.lr=0.1"


def test_the_name_follows_the_values():
    params = Params()
    assert not params.has_exp_name()
    with pytest.raises(ParamsError, match="call build_exp_name"):
        params.get_exp_name()
    params.lr = 0.1
    params.build_exp_name("mytrainer", "lr")
    names = [point.get_exp_name() for point in params.grid_search("lr", [1, 2])]
    assert names == ["mytrainer_lr=1", "mytrainer_lr=2"]
    params.lr = 3
    assert params.has_exp_name()
    assert params.get_exp_name() == "mytrainer_lr=3"
    del params.lr
    assert params.get_exp_name() == "mytrainer_lr"
