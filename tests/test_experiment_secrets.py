"""Secrets planted wherever a run meets them are in no file that the run leaves."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote

import pytest

from thexp_pl.record import Experiment
from thexp_pl.runs import ExperimentViewer

KNOWN = (
    *("variable", "variable_set_late", "variable_url", "variable_line", "before_its_flag", "flag"),
    *("flag_and_value", "setting", "json", "url", "query", "header", "quotes", "code_known"),
    *("param", "param_list", "param_tree", "param_url"),
)
TOLD_ONCE = (
    *("note", "tag", "metric", "event", "event_file", "event_url", "uses", "parent", "world"),
    *("printed", "printed_key", "warned", "message", "source_line", "code_literal", "code_dict"),
)
IN_FILES = ("dot_env", "remote")
SECRETS = {
    place: f"pl4nted-{place}-{number:02}+q"
    for number, place in enumerate(KNOWN + TOLD_ONCE + IN_FILES)
}
SECRETS["printed_key"] = "MIIpl4ntedline1/+of+a+key+in+PEM"
SECRETS["quotes"] = "pl4nted 'quotes' \"of\" several\nlines-of-pl4nted-quotes"

TRAIN = """
import json, os, sys
import keyed
from thexp_pl import Experiment

known, once = json.load(sys.stdin)
everything = " ".join(known.values())
exp = Experiment("../exp", "a")
exp.keycode(keyed.upload)
os.environ["LATE_PASSWORD"] = known["variable_set_late"]
exp.params = {
    "text": "uses " + everything,
    everything: 1,
    "lr": 0.1,
    "api_key": known["param"],
    "hub": {"tokens": [known["param_list"]], "credentials": {"all": {"a": known["param_tree"]}}},
    "url": f"https://me:{known['param_url']}@host/x",
}
exp.start_exp()
exp.keycode(keyed)
print("this is printed", os.environ["HUB_TOKEN"], repr(known["quotes"]), os.environ["DEPLOY_KEY"])
print(f"api_key={once['printed']}", json.dumps(known))
for line in ("-----BEGIN PRIVATE KEY-----", once["printed_key"], "-----END PRIVATE KEY-----"):
    print(line)
sys.stderr.write(f"warning: client_secret: '{once['warned']}', {everything}\\n")
exp.note(f"password={once['note']} {everything}")
exp.tag(f"api_token={once['tag']}", "good", everything)
exp.log_metrics(0, 0, {f"loss api_key={once['metric']}": 1.0, f"acc/{known['param']}": 2.0})
exp.log_event("login", api_key=once["event"], path=f"{exp.path}/ckpt-{known['param']}.pt")
exp.log_event("saved", files={f"password={once['event_file']}": everything, everything: 1})
exp.log_event("called", url=f"https://host/?sig={once['event_url']}&x=1")
exp.uses(f"https://me:{once['uses']}@host/data.csv")
exp.set_parent(f"api_token={once['parent']}", "resumed")
exp.set_world(1, api_key=once["world"], all=everything)
keyed.connect(everything, once)
"""

KEYED = """
def upload(rows, api_key="{code_literal}"):
    credentials = {{
        "user": ["{code_dict}"],
    }}
    other = "{code_known}"
    return sorted(rows, key=lambda row: row["key"])


def fail(message, **kwargs):
    raise RuntimeError(message)


def connect(all, once):
    fail(f"refused: client_secret='{{once['message']}}' {{all}}", api_key="{source_line}")
"""


def command() -> list[str]:
    """Give the arguments with the secrets that they hold."""
    return [
        *(SECRETS["before_its_flag"], f"--api_key={SECRETS['flag']}", "--lr=0.1"),
        *("--password", SECRETS["flag_and_value"], "--again", SECRETS["code_known"]),
        *(f"hub.token={SECRETS['setting']}", "--optim", f'{{"api_key": "{SECRETS["json"]}"}}'),
        *("--url", f"https://me:{quote(SECRETS['url'])}@host/x"),
        *("--query", f"https://host/?a=1&X-Amz-Signature={quote(SECRETS['query'])}&b=2"),
        *("--header", f"Authorization: Bearer {SECRETS['header']}"),
        *("--hf_token", SECRETS["before_its_flag"], f"--db_password={SECRETS['quotes']}"),
        *("--secret", SECRETS["code_known"], "--variable=" + SECRETS["variable_line"]),
    ]


@pytest.fixture(scope="module")
def left(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run a project whose every corner holds a secret; give the folder with all that it left."""
    folder = tmp_path_factory.mktemp("secrets")
    project, library = folder / "project", folder / "library"
    project.mkdir()
    library.mkdir()
    (project / "train.py").write_text(TRAIN)
    (project / ".env").write_text(f"HUB_TOKEN={SECRETS['dot_env']}\n")
    (library / "keyed.py").write_text(KEYED.format(**SECRETS))
    if shutil.which("git"):
        remote = f"https://x-access-token:{SECRETS['remote']}@host/a.git"
        for words in (["init", "-q"], ["remote", "add", "origin", remote]):
            subprocess.run(["git", *words], cwd=project, check=True)
    variables = {
        "HUB_TOKEN": SECRETS["variable"],
        "DATABASE_URL": f"postgres://me:{SECRETS['variable_url']}@host/db",
        "DEPLOY_KEY": f"-- first\n{SECRETS['variable_line']}\n-- last",
        "PYTHONPATH": f"{Path(__file__).parents[1]}{os.pathsep}{library}",
        "THEXP_HOME": str(folder / "home"),
    }
    told = [{place: SECRETS[place] for place in places} for places in (KNOWN, TOLD_ONCE)]
    done = subprocess.run(
        [sys.executable, "train.py", *command()], cwd=project, input=json.dumps(told), text=True,
        env=os.environ | variables, capture_output=True,
    )  # fmt: skip
    assert "RecorderWarning" not in done.stderr, done.stderr
    assert "RuntimeError: refused" in done.stderr, done.stderr
    return folder


def record_of(left: Path) -> dict[str, bytes]:
    """Give the bytes of each file below the root and the home, and of each object of the code."""
    files = [path for name in ("exp", "home") for path in (left / name).rglob("*")]
    found = {str(path): path.read_bytes() for path in files if path.is_file()}
    store = left / "exp" / ".thexp" / "code.git"
    if store.is_dir():
        found["code.git"] = subprocess.run(
            ["git", "--git-dir", store, "cat-file", "--batch-all-objects", "--batch"],
            capture_output=True, check=True,
        ).stdout  # fmt: skip
    return found


@pytest.mark.parametrize("place", SECRETS)
def test_a_planted_secret_is_in_no_file_and_no_name_of_a_file(left: Path, place: str) -> None:
    secret = SECRETS[place]
    forms = {secret, quote(secret), quote(secret, safe=""), json.dumps(secret)[1:-1]}
    forms |= {repr(secret)[1:-1], base64.b64encode(secret.encode()).decode()}
    forms |= set(secret.splitlines())
    found = record_of(left)
    assert len(found) > 8
    for form in forms:
        for name, data in found.items():
            assert form.encode() not in data, name
            assert form not in name


def test_nothing_of_a_planted_secret_is_left(left: Path) -> None:
    for name, data in record_of(left).items():
        assert b"pl4nted" not in data, name


def test_the_record_tells_all_else(left: Path) -> None:
    viewer = ExperimentViewer(roots=[left / "exp"])
    info = viewer.exp_info("@last")
    run = next((left / "exp" / "a").iterdir())
    assert info["status"] == "failed"
    assert info["cause"]["message"].startswith("refused: client_secret='<redacted>' <redacted>")
    assert info["params"]["lr"] == 0.1
    assert info["params"]["hub"] == {"tokens": "<redacted>", "credentials": "<redacted>"}
    assert info["params"]["url"] == "https://<redacted>@host/x"
    assert info["argv"][:4] == ["train.py", "<redacted>", "--api_key=<redacted>", "--lr=0.1"]
    assert "https://host/?a=1&X-Amz-Signature=<redacted>&b=2" in info["argv"]
    assert info["tags"][:2] == ["api_token=<redacted>", "good"]
    assert info["metrics"]["acc/<redacted>"]["last"] == 2.0
    assert (
        'return sorted(rows, key=lambda row: row["key"])'
        in (run / "keycode" / "keyed.upload.py").read_text()
    )
    traceback = (run / "traceback.txt").read_text()
    assert """client_secret='{once['message']}' {all}", api_key="<redacted>")""" in traceback
    console = run / "logs" / "console.log"
    assert not console.exists() or "this is printed <redacted>" in console.read_text()


def test_a_secret_is_in_no_tag_no_note_and_no_name_of_a_metric(tmp_path: Path) -> None:
    with Experiment(tmp_path, "a") as exp:
        exp.log_metrics(0, 0, {"loss planted-1": 1.0})
        exp.params = {"api_key": "planted-1"}
        exp.tag("ftp://me:planted-2@host", "planted-1", "good")
        exp.note("planted-1")
        for step in range(3):
            exp.log_metrics(step, 0, {"loss planted-1": 1.0, "loss": 2.0})
    info = ExperimentViewer(roots=[tmp_path]).exp_info("@last")
    assert info["tags"] == ["ftp://<redacted>@host", "<redacted>", "good"]
    assert info["metrics"]["loss <redacted>"]["count"] == 3
    assert info["metrics"]["loss"]["count"] == 3
    assert b"planted-" not in exp.paths.notes.read_bytes()


def test_a_key_that_is_assigned_after_the_start_is_in_no_file(tmp_path: Path) -> None:
    with Experiment(tmp_path / "exp", "a", code=False) as exp:
        exp.params["api_key"] = "planted-1x"
        exp.params = exp.params | {"text": "planted-1x"}
        exp.log_event("saved", path="planted-1x")
    for path in (tmp_path / "exp").rglob("*"):
        assert not path.is_file() or b"planted" not in path.read_bytes(), path
