"""Two runs that differ in one thing: the difference names it, and nothing else."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from diff_helpers import edited, make_project, record, run_in, told

from thexp_pl.compare.diff import diff_runs
from thexp_pl.errors import RecordError, UsageError
from thexp_pl.runs import Run

_SEED = {"PL_GLOBAL_SEED": "1"}


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run of a project, whose folder is two above the root."""
    folder = tmp_path_factory.mktemp("base")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("THEXP_HOME", str(folder / "home"))
        patch.delenv("OMP_NUM_THREADS", raising=False)
        return record(make_project(folder / "project"), **_SEED)


@pytest.fixture
def project(base: Run, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    return base.paths.root.parent


def test_the_same_script_run_again_differs_in_nothing(base: Run, project: Path) -> None:
    difference = diff_runs(base, record(project, **_SEED))
    assert not difference
    assert told(difference) == {}
    assert difference.metrics.agree
    assert difference.remarks == ()


def test_a_run_differs_from_itself_in_nothing(base: Run) -> None:
    assert not diff_runs(base, base)


def test_the_same_project_in_another_folder_differs_in_nothing(
    base: Run, project: Path, tmp_path: Path
) -> None:
    other = make_project(tmp_path / "elsewhere" / "deep")
    assert not diff_runs(base, record(other, **_SEED))


def test_a_parameter_is_named(base: Run, project: Path) -> None:
    other = record(project, LR="0.2", **_SEED)
    assert told(diff_runs(base, other)) == {"params": [{"name": "optim.lr", "a": 0.1, "b": 0.2}]}


def test_an_argument_and_an_option_of_python_are_the_command(base: Run, project: Path) -> None:
    assert told(diff_runs(base, record(project, "--fast", **_SEED))) == {
        "command": [{"name": "arguments", "a": [], "b": ["--fast"]}]
    }
    assert told(diff_runs(base, record(project, options=("-O",), **_SEED))) == {
        "command": [{"name": "python options", "a": [], "b": ["-O"]}]
    }


def test_a_variable_is_the_environment(base: Run, project: Path) -> None:
    other = record(project, OMP_NUM_THREADS="3", SLURM_JOB_ID="17", **_SEED)
    assert told(diff_runs(base, other)) == {"environment": [{"name": "OMP_NUM_THREADS", "b": "3"}]}


def test_the_version_of_a_package_is_named(project: Path, tmp_path: Path) -> None:
    def with_version(version: str) -> Run:
        site = tmp_path / "site"
        shutil.rmtree(site, ignore_errors=True)
        info = site / f"tiny_tool-{version}.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: tiny-tool\nVersion: {version}\n"
        )
        return record(project, PYTHONPATH=str(site), **_SEED)

    assert told(diff_runs(with_version("1.0"), with_version("1.1"))) == {
        "packages": [{"name": "tiny-tool", "a": "1.0", "b": "1.1"}]
    }


def test_a_changed_data_file_is_data_and_no_code(base: Run, project: Path) -> None:
    (project / "data.csv").write_text("1,3\n")
    try:
        other = record(project, **_SEED)
    finally:
        (project / "data.csv").write_text("1,2\n")
    found = told(diff_runs(base, other))
    assert list(found) == ["data"]
    (change,) = found["data"]
    assert change["name"] == "../data.csv"
    assert change["a"]["bytes"] == change["b"]["bytes"] == 4
    assert change["a"]["sha256"] != change["b"]["sha256"]


def test_another_seed_is_told_with_the_state_that_it_made(base: Run, project: Path) -> None:
    found = told(diff_runs(base, record(project, PL_GLOBAL_SEED="2")))
    assert list(found) == ["random"]
    seed, state = found["random"]
    assert seed == {"name": "seeds.PL_GLOBAL_SEED", "a": 1, "b": 2}
    assert state["name"] == "states.python"


def test_random_states_that_nothing_seeded_are_told_and_are_no_difference(
    base: Run, project: Path
) -> None:
    def unseed(manifest: dict[str, Any]) -> None:
        manifest["seeds"] = {}

    other = record(project, PL_GLOBAL_SEED="2")
    difference = diff_runs(edited(base, unseed), edited(other, unseed))
    assert not difference
    assert difference.remarks == (
        "the random states of python differ, as they do where nothing seeds them",
    )


def test_one_value_that_was_perturbed_is_found_with_its_step(base: Run, project: Path) -> None:
    found = told(diff_runs(base, record(project, NOISE="1e-15", **_SEED)))
    assert list(found) == ["metrics"]
    assert found["metrics"]["summary"] == []  # neither last, nor least, nor greatest
    assert found["metrics"]["parted"] == ["loss"]
    first = found["metrics"]["first"]
    assert (first["name"], first["step"], first["a"]) == ("loss", 3, 0.25)
    assert 0 < first["b"] - first["a"] < 1e-14


def test_a_changed_file_is_code(base: Run, project: Path) -> None:
    (project / "model.py").write_text("width = 8\ndepth = 2\n")
    try:
        other = record(project, **_SEED)
    finally:
        (project / "model.py").write_text("width = 4\ndepth = 2\n")
    found = told(diff_runs(base, other))
    assert list(found) == ["code"]
    assert [(file["name"], file["how"]) for file in found["code"]["files"]] == [
        ("model.py", "changed")
    ]
    assert "-width = 4\n+width = 8\n depth = 2\n" in found["code"]["patch"]


@pytest.mark.parametrize(
    ("path", "value", "name"),
    [
        (("python",), "3.9.1", "python"),
        (("process", "host"), "node7", "host"),
        (("cpu", "logical"), 999, "cpu.logical"),
        (("platform", "release"), "1.0", "platform.release"),
        (("gpus",), [{"name": "H100", "uuid": "GPU-1"}], "gpus.0.name"),
        (("world_size",), 4, "world_size"),
    ],
)
def test_python_and_the_machine_are_the_environment(
    base: Run, path: tuple[str, ...], value: Any, name: str
) -> None:
    def plant(manifest: dict[str, Any]) -> None:
        *above, last = path
        for step in above:
            manifest = manifest[step]
        manifest[last] = value

    found = told(diff_runs(base, edited(base, plant)))
    assert list(found) == ["environment"]
    assert name in [change["name"] for change in found["environment"]]


def test_precision_and_strategy_are_read_from_the_journal(base: Run) -> None:
    runs = []
    for precision in ("32-true", "16-mixed"):
        run = edited(base, lambda manifest: None)
        fit = f'{{"event": "fit", "precision": "{precision}", "strategy": "DDPStrategy"}}\n'
        run.paths.journal.write_text(fit)
        runs.append(run_in(run.paths.folder))
    assert told(diff_runs(*runs)) == {
        "environment": [{"name": "trainer.precision", "a": "32-true", "b": "16-mixed"}]
    }


def test_a_working_directory_within_the_project_is_the_command(base: Run) -> None:
    def plant(manifest: dict[str, Any]) -> None:
        manifest["cwd"] = f"{manifest['cwd']}/scripts"

    assert told(diff_runs(base, edited(base, plant))) == {
        "command": [{"name": "cwd", "a": ".", "b": "scripts"}]
    }


def test_data_whose_hash_is_not_known_is_said_and_is_no_difference(base: Run) -> None:
    def plant(manifest: dict[str, Any]) -> None:
        manifest["uses"][0] |= {"sha256": None, "state": "unfinished"}

    difference = diff_runs(base, edited(base, plant))
    assert not difference
    assert difference.remarks == (
        "the content of ../data.csv is not known of both runs: it is hashed and unfinished",
    )


def test_a_damaged_run_is_refused_in_one_line_that_names_it(base: Run) -> None:
    damaged = edited(base, dict.clear)
    with pytest.raises(RecordError, match=f"the run '{damaged.key}' cannot be compared") as caught:
        diff_runs(base, damaged)
    assert "\n" not in str(caught.value)


def test_what_is_no_run_is_refused_with_the_way_to_have_one(base: Run) -> None:
    with pytest.raises(UsageError, match=r"'a' is no run .* ExperimentViewer\(\)\.run\(key\)"):
        diff_runs(base, "a")  # type: ignore[arg-type]
    assert diff_runs(base, base, "params").categories == ()


def test_only_the_categories_that_are_asked_for_are_compared(base: Run, project: Path) -> None:
    other = record(project, "--fast", LR="0.2", **_SEED)
    assert diff_runs(base, other, ["params"]).categories == ("params",)
    with pytest.raises(UsageError, match="did you mean 'params'"):
        diff_runs(base, other, ["parms"])
