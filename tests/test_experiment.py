"""`Experiment` alone: what a run of a plain script leaves behind."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
import threading
from argparse import Namespace
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from thexp_pl.errors import UsageError
from thexp_pl.params import Params
from thexp_pl.record import Experiment, read_metrics
from thexp_pl.record.faults import RecorderWarning
from thexp_pl.runs import ExperimentViewer


def info_of(root: Path) -> dict[str, Any]:
    """What is known of the one run under a root."""
    return ExperimentViewer(roots=[root]).exp_info("@last")


def run(folder: Path, script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a script that records under ``folder/exp``."""
    path = folder / "script.py"
    path.write_text("from thexp_pl import Experiment\n" + textwrap.dedent(script))
    return subprocess.run(
        [sys.executable, str(path), *arguments], cwd=folder, capture_output=True, text=True
    )


def test_a_run_leaves_its_facts_parameters_and_metrics(tmp_path: Path, own_home: Path) -> None:
    done = run(
        tmp_path,
        """
        exp = Experiment("./exp")
        exp.params = {"lr": 0.1, "optim": {"betas": (0.9, 0.99)}, "nan": float("nan")}
        exp.start_exp()
        for step in range(3):
            exp.log_metrics(step, 0, {"loss": 3.0 - step})
        exp.log_metrics(3, 1, {"loss": float("inf")})
        exp.end_exp()
        """,
        "--epoch=3",
    )
    assert (done.returncode, done.stderr) == (0, "")
    (entry,) = (own_home / "roots").iterdir()
    assert json.loads(entry.read_text())["path"] == str(tmp_path / "exp")
    info = ExperimentViewer().exp_info("@last")
    assert info["status"] == "finished"
    assert info["experiment"] == "script"
    assert info["path"] == f"script/{info['key']}"
    assert info["argv"][1:] == ["--epoch=3"]
    assert info["command"].endswith("script.py --epoch=3")
    assert info["cwd"] == ".."  # as seen from the root: both may be moved together
    assert info["params"] == {"lr": 0.1, "optim": {"betas": [0.9, 0.99]}, "nan": "NaN"}
    assert info["metrics"]["loss"] == {
        "last": "Infinity", "min": 1.0, "max": 3.0, "mean": 2.0, "count": 4, "nonfinite": 1,
    }  # fmt: skip
    assert info["seconds"] >= 0
    assert info["packages"]["torch"]
    columns = read_metrics(Path(info["folder"]) / "metrics.csv")
    assert columns.step == [0, 1, 2, 3]
    assert columns.epoch == [0, 0, 0, 1]
    assert columns.value == [3.0, 2.0, 1.0, float("inf")]


@dataclass
class Settings:
    lr: float
    tags: set[str]


@pytest.mark.parametrize(
    "params", [{"lr": 0.1, "tags": ["a"]}, Namespace(lr=0.1, tags=("a",)), Settings(0.1, {"a"})]
)
def test_params_may_be_a_dict_a_namespace_or_a_dataclass(tmp_path: Path, params: Any) -> None:
    with Experiment(tmp_path, "a") as exp:
        exp.params = params
        assert info_of(tmp_path)["params"] == {"lr": 0.1, "tags": ["a"]}  # written when assigned


def test_the_progress_of_params_is_no_parameter_of_a_run(tmp_path: Path) -> None:
    params = Params()
    params.optim = {"lr": 0.1}
    with Experiment(tmp_path, "script", code=False, console=False) as exp:
        exp.params = params
    assert info_of(tmp_path)["params"] == params.settings()
    assert not {"eidx", "idx", "global_step"} & params.settings().keys()


def test_params_that_are_changed_in_place_are_written_at_the_end(tmp_path: Path) -> None:
    with Experiment(tmp_path, "a") as exp:
        exp.params["lr"] = 0.1
    assert info_of(tmp_path)["params"] == {"lr": 0.1}


def test_params_of_another_kind_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="params cannot be a list: give a dict"):
        Experiment(tmp_path, "a").params = [1]


def test_a_metric_that_is_no_number_is_named(tmp_path: Path) -> None:
    with (
        Experiment(tmp_path, "a") as exp,
        pytest.raises(UsageError, match="the metric 'loss' is 'None', a NoneType"),
    ):
        exp.log_metrics(0, 0, {"loss": None})  # type: ignore[dict-item]


def test_a_run_is_started_once_and_records_only_between_start_and_end(tmp_path: Path) -> None:
    exp = Experiment(tmp_path, "a")
    with pytest.raises(UsageError, match=r"has not started: call start_exp\(\)"):
        exp.log_metrics(0, 0, {"loss": 1.0})
    exp.end_exp()
    assert not exp.running
    exp.start_exp()
    assert exp.running
    with pytest.raises(UsageError, match="started before"):
        exp.start_exp()
    with pytest.raises(UsageError, match="no status 'done'"):
        exp.finish("done")
    exp.finish("interrupted")
    exp.end_exp()
    assert info_of(tmp_path)["status"] == "interrupted"
    with pytest.raises(UsageError, match="has ended"):
        exp.log_event("checkpoint")


def test_two_runs_of_one_name_have_folders_of_their_own(tmp_path: Path) -> None:
    with Experiment(tmp_path, "a") as one, Experiment(tmp_path, "a") as two:
        assert one.path != two.path
        assert one.path.parent == two.path.parent
    assert sorted([one.key, two.key]) == sorted(ExperimentViewer(roots=[tmp_path]).list())


def test_held_parts_tell_which_files_came_changed_and_went(tmp_path: Path) -> None:
    exp = Experiment(tmp_path, "a")
    seen: list[tuple[str, str]] = []
    exp.add_event_listener(lambda path, mode: seen.append((path.name, mode)), [".ckpt", ".png"])
    before = exp.hold_exp_part("save", [".ckpt"])
    assert before == exp.path / "save"
    exp.start_exp()
    (before / "1.ckpt").write_bytes(b"12345")
    (before / "1.txt").write_bytes(b"of no held suffix yet")
    unseen = exp.hold_exp_part("cache", observe=False)
    (unseen / "2.ckpt").write_bytes(b"")
    later = exp.hold_exp_part("log/deep", [".LOG"])
    (later / "a.log").write_text("line")
    (later / "b.png").write_text("")
    exp.end_exp()
    found = ExperimentViewer(roots=[tmp_path]).backtracking("")[exp.key]
    assert {path: (file["event"], file["size"]) for path, file in found.items()} == {
        "save/1.ckpt": ("created", 5),
        "log/deep/a.log": ("created", 4),
    }
    assert sorted(name for name, mode in seen if mode == "created") == ["1.ckpt", "b.png"]


def test_files_that_were_in_a_part_before_are_modified_or_deleted(tmp_path: Path) -> None:
    exp = Experiment(tmp_path, "a")
    part = exp.path / "save"
    part.mkdir()
    for name in ("kept", "changed", "gone"):
        (part / f"{name}.ckpt").write_text("old")
    exp.hold_exp_part("save", ".ckpt")
    with exp:
        (part / "changed.ckpt").write_text("newer")
        (part / "gone.ckpt").unlink()
    found = ExperimentViewer(roots=[tmp_path]).backtracking("ckpt")[exp.key]
    assert {path: (file["event"], file["exists"]) for path, file in found.items()} == {
        "save/changed.ckpt": ("modified", True),
        "save/gone.ckpt": ("deleted", False),
    }


@pytest.mark.parametrize("part", ["", ".", "/tmp/x", "../x", "a/../../x", "a\0b"])
def test_a_part_outside_the_run_is_refused(tmp_path: Path, part: str) -> None:
    with pytest.raises(UsageError, match="name a folder inside the run"):
        Experiment(tmp_path, "a").hold_exp_part(part)


def test_a_suffix_without_its_dot_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"'ckpt' does not begin with a dot; say '\.ckpt'"):
        Experiment(tmp_path, "a").hold_exp_part("save", ["ckpt"])


def test_key_code_of_functions_classes_and_modules_is_kept(tmp_path: Path) -> None:
    exp = Experiment(tmp_path, "a")

    @exp.keycode()
    def before() -> int:
        return 1

    exp.start_exp()

    @exp.keycode()
    class After:
        pass

    assert exp.keycode(textwrap) is textwrap
    assert before() == 1
    exp.end_exp()
    code = ExperimentViewer(roots=[tmp_path]).exp_code(exp.key)
    own = f"{__name__}.test_key_code_of_functions_classes_and_modules_is_kept"
    assert sorted(code) == sorted([f"{own}.before", f"{own}.After", "textwrap"])
    assert "return 1" in code[f"{own}.before"]
    assert "class After:" in code[f"{own}.After"]
    assert code["textwrap"] == Path(textwrap.__file__).read_text()


def test_a_member_without_a_source_is_one_warning(tmp_path: Path) -> None:
    with Experiment(tmp_path, "a") as exp:
        with pytest.warns(RecorderWarning, match="builtin_function_or_method"):
            assert exp.keycode(len) is len
        exp.keycode(print)  # silent
    assert info_of(tmp_path)["status"] == "finished"


def test_notes_and_tags_are_added_at_any_time_and_none_is_lost(tmp_path: Path) -> None:
    with Experiment(tmp_path, "a") as exp:
        exp.tag("baseline", "baseline")
    exp.tag("baseline", "paper")
    threads = [threading.Thread(target=exp.note, args=(f"note {i}",)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    info = info_of(tmp_path)
    assert info["tags"] == ["baseline", "paper"]
    assert sorted(note["text"] for note in info["notes"]) == [f"note {i}" for i in range(8)]


def test_the_record_needs_neither_torch_nor_lightning(tmp_path: Path) -> None:
    done = run(
        tmp_path,
        """
        import sys
        from thexp_pl import ExperimentViewer, globs
        with Experiment("./exp") as exp:
            exp.log_metrics(0, 0, {"loss": 1.0})
        assert ExperimentViewer().list() == [exp.key]
        globs.list_config()
        heavy = {"torch", "numpy", "pytorch_lightning", "rich", "psutil", "watchdog"}
        print(sorted(heavy & set(sys.modules)))
        """,
    )
    assert done.stdout == "[]\n", done.stderr
