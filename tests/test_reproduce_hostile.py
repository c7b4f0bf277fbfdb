"""Records that something has damaged or made up: one line, or a command that could be run."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from reproduce_helpers import PLAIN, SECONDS, last, record, write

from thexp_pl.errors import ThexpError
from thexp_pl.rerun.data import name_left_out
from thexp_pl.rerun.differences import differences
from thexp_pl.rerun.interpreter import read_invocation
from thexp_pl.rerun.reproducing import prepare_reproduction
from thexp_pl.runs import Run, read_run

TEXTS = st.text(max_size=12) | st.sampled_from(
    ["..", "../..", "/", "/etc", "\0", "\ud800", "a\x1b[31m\n", "train.py", "$(touch x)", "-m", "'"]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)
CODES = st.fixed_dictionaries(
    {}, optional=dict.fromkeys(("project", "entry", "left_out", "files"), VALUES)
)
USES = st.lists(
    st.fixed_dictionaries(
        {"path": VALUES, "kind": st.sampled_from(["file", "folder", "url"])},
        optional={"bytes": VALUES, "sha256": VALUES},
    ),
    max_size=3,
)
COMMANDS = st.lists(TEXTS, max_size=5).map(lambda words: shlex.join(["python", *words])) | VALUES
FIELDS = {
    **dict.fromkeys(("cwd", "python", "parent", "packages", "editable", "process"), VALUES),
    "command": COMMANDS,
    "uses": USES,
    "environment": st.dictionaries(TEXTS.map("OMP_{}".format) | TEXTS, VALUES, max_size=4),
    "code": CODES,
}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    project = tmp_path_factory.mktemp("recorded") / "project"
    write(project, {"pyproject.toml": "", "train.py": PLAIN})
    home = str(tmp_path_factory.mktemp("home"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("THEXP_HOME", home)
        return record(project)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changes=st.fixed_dictionaries({}, optional=FIELDS))
def test_a_made_up_manifest_is_one_line_or_a_command(changes: dict[str, Any], run: Run) -> None:
    manifest = {**run.manifest, **changes}
    if "code" in changes:
        manifest["code"] = {**run.manifest["code"], **changes["code"]}
    whole = run.paths.manifest.read_bytes()
    beside = sorted(run.paths.root.parent.iterdir()), sorted(run.paths.root.parents[1].iterdir())
    try:
        run.paths.manifest.write_text(json.dumps(manifest))
        made_up = read_run(run.paths)
        with contextlib.suppress(ThexpError):
            prepared = prepare_reproduction(made_up)
            assert prepared.folder.folder.parent == run.paths.root / ".thexp" / "reproduced"
            line = prepared.command.line()
            assert line.isprintable()
            quoted = subprocess.run(
                ["bash", "-n", "-c", line], capture_output=True, timeout=SECONDS
            )
            assert quoted.returncode == 0, quoted.stderr
            for difference in differences(made_up, prepared.moved):
                assert str(difference).isprintable()
            assert name_left_out(made_up).isprintable()
    finally:
        run.paths.manifest.write_bytes(whole)
    assert beside == (
        sorted(run.paths.root.parent.iterdir()),
        sorted(run.paths.root.parents[1].iterdir()),
    )


@given(st.lists(st.text(max_size=6) | st.sampled_from(["-m", "-W", "-", "--", "-uc"]), max_size=6))
def test_every_word_of_a_command_line_has_one_place(words: list[str]) -> None:
    invocation = read_invocation(["python", *words])
    rest = [*invocation.options, invocation.subject, *invocation.arguments]
    assert sorted("".join(rest).replace("-", "")) == sorted(
        "".join(words).replace("-", "")
        if invocation.kind not in ("module", "code")
        else "".join(words).replace("-", "").replace(invocation.kind[0], "", 1)
    )


def test_a_hostile_argument_comes_through_the_printed_line_as_it_is(tmp_path: Path) -> None:
    project = tmp_path / "project"
    shows = f"{PLAIN}\nPath('seen.json').write_text(__import__('json').dumps(sys.argv[1:]))\n"
    write(project, {"pyproject.toml": "", "train.py": shows})
    words = ["$(touch x)", "`touch x`", "a'b\"c", "\x1b]0;t\x07", "训练 1", "a=b c", "x=", "", "\\"]
    run = record(project, "train.py", *words)
    prepared = prepare_reproduction(run)
    assert subprocess.run(["bash", "-c", prepared.command.line()], timeout=SECONDS).returncode == 0
    assert json.loads((prepared.folder.code / "seen.json").read_text()) == words


def test_ctrl_c_at_a_terminal_reaches_the_run_once(tmp_path: Path) -> None:
    waits = """
    import signal, time
    told = []
    signal.signal(signal.SIGINT, lambda *given: told.append(1))
    if 'AGAIN' in os.environ:
        print("ready", flush=True)
        while not told:
            time.sleep(0.01)
        time.sleep(0.3)
        print(f"told {len(told)}", flush=True)
"""
    write(tmp_path, {"pyproject.toml": "", "train.py": PLAIN + waits})
    run = record(tmp_path)
    child, terminal = pty.fork()
    if child == 0:
        os.environ["AGAIN"] = "1"
        os.execv(sys.executable, [sys.executable, "-m", "thexp_pl", "reproduce", run.key])
    seen = b""
    with contextlib.suppress(OSError):  # the end of a terminal
        while chunk := os.read(terminal, 4096):
            is_ready = b"ready" in seen
            seen += chunk
            if b"ready" in seen and not is_ready:
                os.write(terminal, b"\x03")
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 130, seen.decode()
    assert b"told 1" in seen
    assert last(tmp_path).key != run.key
