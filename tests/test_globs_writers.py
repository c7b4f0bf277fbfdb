"""`globs` where many write at once, or nobody may, and files that anybody has damaged."""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from thexp_pl.cli.main import main
from thexp_pl.errors import GlobsError
from thexp_pl.globvars import globs

SECONDS = 120
NOBODY = 65534
FUZZ = int(os.environ.get("THEXP_PL_FUZZ", "40"))  # examples of each property


def in_a_fork(deed: Callable[[], Any]) -> int:
    """Start a process that does something, and give its id; it ends with 0 where that is done."""
    process = os.fork()
    if not process:
        code = 1
        try:
            deed()
            code = 0
        finally:
            os._exit(code)
    return process


def code_of(process: int) -> int:
    """Wait for a process, and give its exit code; a hang fails."""
    killer = threading.Timer(SECONDS, os.kill, (process, signal.SIGKILL))
    killer.start()
    try:
        return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    finally:
        killer.cancel()


def test_sixteen_processes_that_write_together_lose_nothing(own_home: Path) -> None:
    import filelock  # noqa: F401 - imported once, for all processes

    ready, go = os.pipe()

    def write(writer: int) -> None:
        os.close(go)
        os.read(ready, 1)  # until all are there
        for number in range(20):
            globs.update("global", f"{writer}-{number}", number)

    writers = [in_a_fork(lambda writer=writer: write(writer)) for writer in range(16)]
    os.close(go)
    os.close(ready)
    assert [code_of(writer) for writer in writers] == [0] * 16
    kept = json.loads(globs.glob_fn.read_text())
    assert kept == {f"{writer}-{n}": n for writer in range(16) for n in range(20)}


@pytest.mark.parametrize("attempt", range(8))
def test_kill_in_the_midst_of_writing_leaves_the_old_values_or_the_new(
    own_home: Path, attempt: int
) -> None:
    globs.update("global", "filler", "x" * 200_000)
    told, tells = os.pipe()

    def write() -> None:
        for number in range(1_000_000):
            globs.update("global", "number", number)
            os.write(tells, b".")

    writer = in_a_fork(write)
    os.close(tells)
    done = 0
    while done <= attempt:
        done += len(os.read(told, 1))
    os.kill(writer, signal.SIGKILL)
    assert code_of(writer) == -signal.SIGKILL
    while got := os.read(told, 4096):
        done += len(got)
    os.close(told)
    assert globs["number"] in (done - 1, done)
    assert globs["filler"] == "x" * 200_000
    globs.update("global", "number", "later")  # the lock of the dead holds nobody up
    assert globs["number"] == "later"


@pytest.mark.skipif(os.geteuid() != 0, reason="another user is needed whom permissions bind")
def test_in_a_home_that_is_read_only_reading_works_and_writing_is_one_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import filelock  # noqa: F401 - another user may not be able to read what is imported

    import thexp_pl.cli.editing  # noqa: F401

    main(["config", "-l"])
    # not below pytest's own folder, which nobody else may enter
    folder = Path(tempfile.mkdtemp())
    monkeypatch.setenv("THEXP_HOME", str(folder))
    told, tells = os.pipe()

    def type_commands() -> None:
        os.setuid(NOBODY)
        for words in (["a"], ["--global", "a", "2"], ["--global", "-u", "a"], ["--global", "-e"]):
            errors = io.StringIO()
            code: Any = 1
            with contextlib.redirect_stderr(errors):
                try:
                    code = main(["config", *words])
                except SystemExit as ending:
                    code = ending.code
            os.write(tells, f"{code} {errors.getvalue() or 'no error'}\n".encode())

    try:
        (folder / "config.json").write_text('{"a": 1}')
        folder.chmod(0o555)
        assert code_of(in_a_fork(type_commands)) == 0
        os.close(tells)
        with os.fdopen(told) as reader:
            lines = [line for line in reader.read().splitlines() if line]
        assert lines[0] == "0 no error"
        assert [line.split()[0] for line in lines] == ["0", "2", "2", "2"]
        assert all("Permission denied" in line for line in lines[1:])
        assert [path.name for path in folder.iterdir()] == ["config.json"]
        assert (folder / "config.json").read_text() == '{"a": 1}'
    finally:
        shutil.rmtree(folder)


def test_what_could_not_be_read_again_is_not_written(own_home: Path) -> None:
    globs.update("global", "a", 1)
    with pytest.raises(GlobsError, match="keep what is large in a file of its own"):
        globs.update("global", "b", "x" * (65 << 20))
    assert globs.list_config()["global"] == {"a": 1}
    deep: Any = []
    for _ in range(150):
        deep = [deep]
    globs.update("global", "deep", deep)
    assert globs["a"] == 1


CONTENTS = st.binary(max_size=100) | st.sampled_from([
    b"null", b"1", b'"text"', b"[]", b'{"a": NaN}', b'{"a": 1e999}', b'{"a": "\\ud800"}',
    b'\xef\xbb\xbf{"a": 1}', b'{"a": 1}\x00', b"9" * 5000, b'{"a":' * 500 + b"1" + b"}" * 500,
])  # fmt: skip
WORDS = [("config", "-l"), ("config", "a"), ("config", "--global", "b", "2"),
         ("config", "--global", "-u", "a"), ("config", "-l", "--json")]  # fmt: skip


@given(CONTENTS)
@settings(max_examples=FUZZ, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_stands_in_the_file_no_command_fails_otherwise_than_in_one_line(
    own_home: Path, capsys: pytest.CaptureFixture[str], content: bytes
) -> None:
    try:
        loaded = json.loads(content.decode())
        is_whole = isinstance(loaded, dict)
    except (ValueError, RecursionError):
        is_whole = False
    for words in WORDS:
        globs.glob_fn.write_bytes(content)
        capsys.readouterr()
        try:
            code = main(words)
        except SystemExit as ending:
            code = ending.code
        err = capsys.readouterr().err
        assert (code, err.count("\n")) in ((0, 0), (2, 1))
        if not is_whole:
            assert "mend it" in err
        if code == 2 or len(words) < 4:
            assert globs.glob_fn.read_bytes() == content


def test_names_are_not_assigned_or_deleted_as_attributes() -> None:
    globs.update("global", "a", 1)
    with pytest.raises(AttributeError, match=r"globs\.update\('local', 'a'"):
        globs.a = 2
    with pytest.raises(AttributeError, match=r"globs\.unset\('local', 'a'"):
        del globs.a
    assert globs.a == 1


def test_the_block_of_thexps_readme_runs(tmp_path: Path, own_home: Path) -> None:
    script = """
from thexp_pl import globs

print(globs["nddatasets"])

globs.update("local","a",1)
globs.list_config(globa=True,local=True)
print(globs.glob_fn)
"""
    globs.init(tmp_path)
    globs.update("global", "nddatasets", "/path/to/all/datasets")
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path, capture_output=True, text=True, timeout=SECONDS, check=True,
        env=os.environ | {"THEXP_HOME": str(own_home)},
    )  # fmt: skip
    assert done.stdout == f"/path/to/all/datasets\n{own_home / 'config.json'}\n"
    assert json.loads((tmp_path / ".thexp" / "config.json").read_text()) == {"a": 1}
