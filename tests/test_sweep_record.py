"""The record of a run of a sweep: it says so, and is as good as any other."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from reproduce_helpers import Terminal
from swept_helpers import SCRIPT, attempted, finished, git, run_of, submitted, write
from upkeep_helpers import change, record

from thexp_pl import ExperimentViewer
from thexp_pl.errors import RecordError
from thexp_pl.record.manifest import SCHEMA_FILE, read_manifest
from thexp_pl.record.rerun import Rerun
from thexp_pl.rerun import reproduce
from thexp_pl.runs.selecting import select_runs
from thexp_pl.upkeep import export_runs, import_runs


@pytest.fixture(autouse=True)
def project() -> Path:
    folder = Path.cwd()
    write(folder, {"train.py": SCRIPT, "pyproject.toml": "", ".gitignore": "data\nexperiment\n"})
    write(folder, {"data/x.csv": "1"})
    git(folder, "init", "-q")
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "first")
    return folder


@pytest.fixture
def type_in(capfd: pytest.CaptureFixture[str]) -> Terminal:
    return Terminal(capfd)


def test_the_manifest_names_the_sweep_and_the_project_as_it_was_submitted(project: Path) -> None:
    write(project, {"train.py": SCRIPT + "    exp.uses('data/x.csv')"})
    sweep = submitted()
    write(project, {"train.py": ""})
    git(project, "commit", "-q", "-a", "-m", "second")
    manifest = finished(sweep, 1).manifest
    assert manifest["sweep"] == {"key": sweep.key, "point": 1, "digest": "digest of 0.2"}
    assert manifest["parent"] is None
    assert manifest["code"] == {**sweep.facts["code"], "entry": "train.py"}
    assert manifest["git"] == sweep.facts["git"]
    assert manifest["git"]["dirty"] is True
    assert (manifest["cwd"], manifest["code"]["project"]) == ("..", "..")
    assert [used["path"] for used in manifest["uses"]] == ["../data/x.csv"]
    jsonschema.validate(manifest | {"seal": ""}, json.loads(SCHEMA_FILE.read_text()))


def test_only_the_first_run_of_a_process_is_the_point(project: Path) -> None:
    second = SCRIPT.replace('"tiny"', '"second"').replace("import os", "\nimport os")
    write(project, {"train.py": SCRIPT + second})
    sweep = submitted()
    finished(sweep)
    runs = ExperimentViewer([sweep.paths.root]).runs()
    assert [(run.paths.experiment, bool(run.manifest["sweep"])) for run in runs] == [
        ("tiny", True),
        ("second", False),
    ]


def test_a_run_that_changes_its_code_names_what_it_ran(project: Path) -> None:
    write(project, {"factor.py": "value = 1"})
    write(project, {"train.py": "open('factor.py', 'w').write('value = 2')\n" + SCRIPT})
    sweep = submitted()
    tree = finished(sweep).manifest["code"]["tree"]
    assert tree != sweep.tree
    reproduced = reproduce(run_of(sweep)).prepared.moved.code
    assert (reproduced / "factor.py").read_text() == "value = 2"


def test_what_runs_leave_in_the_folder_of_the_code_is_no_code(project: Path) -> None:
    write(project, {"train.py": SCRIPT + "    open(f'left{rate}.py', 'w').write('x')"})
    sweep = submitted()
    finished(sweep)
    assert finished(sweep, 1).manifest["code"]["tree"] == sweep.tree


@pytest.mark.parametrize("is_gone", [False, True])
def test_a_run_is_reproduced_though_its_sweep_is_gone(
    project: Path, type_in: Terminal, is_gone: bool
) -> None:
    write(
        project,
        {"train.py": SCRIPT + "    exp.uses('data/x.csv'); print(open('data/x.csv').read())"},
    )
    sweep = submitted()
    run = finished(sweep)
    write(project, {"train.py": "raise SystemExit('edited')"})
    if is_gone:
        shutil.rmtree(sweep.paths.folder)
    assert type_in("reproduce", run.key, "--verify") == 0
    assert type_in.said("verify") == ["identical: 3 values of metrics, no weights"]
    again = ExperimentViewer([run.paths.root]).run("@last")
    assert again.manifest["parent"] == {"key": run.key, "how": "reproduced"}
    assert again.manifest["sweep"] is None
    assert again.params == run.params


def test_a_run_is_rolled_back_and_compared_as_any(project: Path, type_in: Terminal) -> None:
    sweep = submitted()
    first, second = finished(sweep), finished(sweep, 1)
    shutil.rmtree(sweep.paths.code)
    assert type_in("rollback", first.key, "--to", "back") == 0
    assert (project / "back" / "code" / "train.py").read_text() == SCRIPT
    assert type_in("diff", first.key, second.key) == 0
    assert "lr" in type_in.out
    assert "train.py" not in type_in.out


def test_show_names_the_sweep_of_a_run(project: Path, type_in: Terminal) -> None:
    sweep = submitted()
    run = finished(sweep, 1)
    assert type_in("show", run.key) == 0
    assert f"point 1 of {sweep.key}" in type_in.out
    hostile = record(sweep.paths.root, "hostile")
    change(hostile, sweep={"key": "\x1b[31m", "point": None})
    assert type_in("show", hostile.key) == 0
    assert "\x1b" not in type_in.out


def test_an_archive_brings_the_sweep_elsewhere(project: Path, tmp_path: Path) -> None:
    sweep = submitted()
    run = finished(sweep)
    export_runs([run.paths], tmp_path / "one.thexp.tar")
    import_runs(tmp_path / "one.thexp.tar", tmp_path / "elsewhere")
    row = ExperimentViewer([tmp_path / "elsewhere"]).row(run.key)
    assert (row.sweep, row.point, row.code) == (sweep.key, 0, sweep.tree)


def test_a_sweep_is_asked_for_by_its_key_or_the_beginning_of_it(
    project: Path, type_in: Terminal
) -> None:
    sweep = submitted()
    keys = [finished(sweep, number).key for number in (0, 1)]
    other = record(sweep.paths.root, "other")
    viewer = ExperimentViewer([sweep.paths.root])
    for word in (sweep.key, sweep.key[:-1], "sweep-"):
        assert [row.key for row in select_runs(viewer, [word])] == keys
    assert viewer.query(f"sweep == '{sweep.key}' and point == 1") == keys[1:]
    for query in ("sweep == ''", "not sweep", "sweep is None", "point is None", "not point >= 0"):
        assert viewer.query(query) == [other.key]
    assert viewer.query("point != 1") == keys[:1]
    assert type_in("list", sweep.key) == 0
    assert [key for key in (*keys, other.key) if key in type_in.out] == keys
    change(other, sweep={"key": f"{sweep.key}x", "point": 0, "digest": ""})
    assert [row.key for row in select_runs(viewer, [sweep.key])] == keys
    with pytest.raises(RecordError, match=r"means 2 sweeps .* give more of the key"):
        select_runs(viewer, [sweep.key[:-1]])
    with pytest.raises(RecordError, match="no run has the key"):
        select_runs(viewer, ["sweep-nothing"])


@pytest.mark.parametrize(
    "entry",
    [
        {"key": 7, "point": "0", "digest": None},
        {"point": -1},
        {"key": "sweep-\x1b[31m", "point": 1 << 70, "digest": ["x"]},
        {},
    ],
)
def test_whatever_a_manifest_says_of_a_sweep_it_can_be_listed(tmp_path: Path, entry: Any) -> None:
    run = record(tmp_path)
    change(run, sweep=entry)
    row = ExperimentViewer([tmp_path]).row(run.key)
    assert (row.status, row.point) == ("finished", None)


def test_a_run_of_no_sweep_says_nothing_of_one(tmp_path: Path) -> None:
    run = record(tmp_path)
    assert "sweep" not in json.loads(run.manifest.read_text())
    assert read_manifest(run.manifest)["sweep"] is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("sweep", {}),
        ("sweep", {"key": "../x", "point": 0, "digest": ""}),
        ("sweep", {"key": "sweep-1", "point": "0", "digest": ""}),
        ("sweep", ["sweep-1"]),
        ("submitted", {"code": {}}),
        ("submitted", {"code": {"project": ".."}, "git": "x"}),
    ],
)
def test_what_describes_no_point_starts_no_run(
    project: Path, name: str, value: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = {"key": "sweep-1", "point": 0, "digest": ""}
    root = project / "experiment"
    told = Rerun("swept", (), root, project, sweep=entry, submitted={"code": {"project": ".."}})
    told.write(project / "told.json")
    kept = json.loads((project / "told.json").read_text())
    (project / "told.json").write_text(json.dumps({**kept, name: value}))
    monkeypatch.setenv("THEXP_PL_RERUN", str(project / "told.json"))
    monkeypatch.setenv("THEXP_PL_RERUN_TAKER", str(os.getpid()))
    with pytest.raises(RecordError, match="describe no point of a sweep"):
        record(root)
    assert not (root / "digits").exists()


def test_a_run_that_keeps_no_code_still_names_that_of_the_sweep(project: Path) -> None:
    write(project, {"train.py": SCRIPT.replace("console", "code=False, console")})
    sweep = submitted()
    assert attempted(sweep) == 0
    assert run_of(sweep).manifest["code"]["tree"] == sweep.tree
