"""run.json: what its schema says, and what of it survives a move."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from thexp_pl import Experiment
from thexp_pl.record.describing import new_manifest
from thexp_pl.record.folders import run_folders
from thexp_pl.record.manifest import SCHEMA, SCHEMA_FILE, read_manifest
from thexp_pl.record.paths import RunPaths
from thexp_pl.record.redact import Redactor
from thexp_pl.runs.run import read_run

SCRIPT = """
import sys
from thexp_pl import Experiment
with Experiment("experiment", "digits") as exp:
    exp.params = {"lr": 0.1, "nan": float("nan")}
    exp.uses("data")
    exp.uses("s3://bucket/digits")
    exp.set_world(2, device="cpu")
    exp.set_parent("26-11-22-061138-k3f9", "resumed")
    exp.log_metrics(0, 0, {"loss": 1, "bad": float("inf")})
    if "--fail" in sys.argv:
        raise ValueError("no data")
"""


@pytest.fixture(scope="module")
def validator() -> jsonschema.Draft202012Validator:
    schema = json.loads(SCHEMA_FILE.read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def run_script(project: Path, *arguments: str) -> Path:
    """Record a run of a script; its manifest."""
    (project / "data").mkdir(parents=True)
    (project / "data" / "digits.txt").write_text("0123")
    (project / "train.py").write_text(SCRIPT)
    command = [sys.executable, "train.py", *arguments]
    subprocess.run(command, cwd=project, check="--fail" not in arguments, capture_output=True)
    (paths,) = run_folders(project / "experiment")
    return paths.manifest


@pytest.mark.parametrize("arguments", [[], ["--fail"]])
def test_the_manifest_of_a_run_is_as_its_schema_says(
    tmp_path: Path, validator: jsonschema.Draft202012Validator, arguments: list[str]
) -> None:
    manifest = json.loads(run_script(tmp_path / "project", *arguments).read_text())
    validator.validate(manifest)
    assert manifest["status"] == ("failed" if arguments else "finished")
    assert [found["state"] for found in manifest["uses"]] == ["hashed", "named"]
    for facts in ("platform", "cpu", "packages", "random_states", "parent", "world_size"):
        assert manifest[facts], facts


def test_a_manifest_is_as_its_schema_says_before_anything_is_gathered(
    tmp_path: Path, validator: jsonschema.Draft202012Validator
) -> None:
    manifest = new_manifest(RunPaths(tmp_path, "e", "k"), Redactor())
    validator.validate(manifest)
    assert list(manifest) == validator.schema["required"]  # type: ignore[index]


def test_the_schema_describes_every_field(validator: jsonschema.Draft202012Validator) -> None:
    def fields(schema: Any, name: str) -> Iterator[tuple[str, Any]]:
        for field, inner in schema.get("properties", {}).items():
            yield f"{name}.{field}", inner
            yield from fields(inner, f"{name}.{field}")
        for key in ("items", "additionalProperties"):
            if key in schema:
                yield from fields(schema[key], f"{name}[]")

    found = dict(fields(validator.schema, "run"))
    assert len(found) > 80
    assert [name for name, inner in found.items() if not inner.get("description")] == []


@pytest.mark.parametrize(
    "change",
    [
        {"schema": 1},
        {"status": "killed"},
        {"start": "yesterday"},
        {"uses": [{"path": "x"}]},
        {"packages": {"torch": None}},
        {"metrics": {"loss": {"last": 1}}},
        {"random_states": {"path": "x", "sha256": "y", "generators": []}},
        {"process": {}},
    ],
    ids=str,
)
def test_the_schema_refuses_what_no_run_writes(
    tmp_path: Path, validator: jsonschema.Draft202012Validator, change: dict[str, Any]
) -> None:
    manifest = new_manifest(RunPaths(tmp_path, "e", "k"), Redactor())
    assert not validator.is_valid(manifest | change)


def test_a_moved_project_still_says_where_its_data_was(tmp_path: Path) -> None:
    manifest = run_script(tmp_path / "project")
    root = manifest.parents[2]
    moved = (tmp_path / "project").rename(tmp_path / "moved") / root.name
    told = read_manifest(moved / manifest.relative_to(root))
    assert (moved / told["cwd"]).resolve() == tmp_path / "moved"
    assert (moved / told["uses"][0]["path"] / "digits.txt").read_text() == "0123"


def test_a_working_directory_elsewhere_is_told_in_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert new_manifest(RunPaths(tmp_path / "there", "e", "k"), Redactor())["cwd"] == str(
        tmp_path / "here"
    )


def test_no_secret_is_in_the_name_of_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SERVICE_TOKEN", "planted-123")
    (tmp_path / "planted-123").mkdir()
    monkeypatch.chdir(tmp_path / "planted-123")
    manifest = new_manifest(RunPaths(tmp_path / "there", "e", "k"), Redactor())
    assert manifest["cwd"] == str(tmp_path / "<redacted>")


def test_starting_with_a_deleted_working_directory_is_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    assert new_manifest(RunPaths(tmp_path, "e", "k"), Redactor())["cwd"] is None


def test_a_manifest_of_a_later_release_says_to_update(tmp_path: Path) -> None:
    with Experiment(tmp_path, "e") as exp:
        pass
    manifest = json.loads(exp.paths.manifest.read_text())
    exp.paths.manifest.write_text(json.dumps(manifest | {"schema": SCHEMA + 1, "params": "other"}))
    run = read_run(exp.paths)
    assert run.status == "damaged"
    assert f"reads up to {SCHEMA}: update thexp_pl" in run.damage
    assert "\n" not in run.damage
