"""Addresses of a team's index that are none: one line, exit code 2, and no password in it."""

from __future__ import annotations

import pytest

from thexp_pl.cli.main import main
from thexp_pl.cli.report import is_users_own

pytest.importorskip("psycopg")


@pytest.mark.parametrize(
    "address",
    [
        "team:s3cr3t@word@127.0.0.1:1/d",
        "team:s3cr3t/word@127.0.0.1:1/d",
        "team:word/s3cr3t@127.0.0.1:1/d",
        "team:word@s3cr3t@127.0.0.1:1/d",
        "team:s3cr3t/d",
        "team:s3cr3t%word@127.0.0.1:1/d",
        "team:s3cr3t word@127.0.0.1:1/d",
        "team:s3cr3t@127.0.0.1:1/d?pasword=x",
        "team:s3cr3t@127.0.0.1:1/d%00",
    ],
)
def test_a_malformed_address_is_one_line_that_tells_nothing_of_it(
    address: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("THEXP_INDEX", f"postgresql://{address}")
    with pytest.raises(SystemExit, match="2"):
        main(["list"])
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: THEXP_INDEX cannot be read: write postgresql://USER:PASSWORD@")
    assert "such as @ and / in the password as %40 and %2F" in err
    assert err.count("\n") == 1
    assert not any(word in err for word in ("s3cr3t", "word@", "127"))


def test_a_short_password_is_not_told_by_what_is_put_in_its_place(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    said = set()
    for password in ("e", "o", "i", "t"):
        monkeypatch.setenv("THEXP_INDEX", f"postgresql://team:{password}@127.0.0.1:1/d")
        with pytest.raises(SystemExit, match="2"):
            main(["list"])
        said.add(capsys.readouterr().err)
    assert len(said) == 1
    assert "'127.0.0.1:1/d' cannot be used" in said.pop()


_CAUGHT = """
try:
    try:
        inner()
    except ZeroDivisionError as error:
        raise KeyError from {cause}
except KeyError as error:
    caught = error
"""


@pytest.mark.parametrize(
    ("inner", "cause", "is_own"),
    [
        ("/home/me/train.py", "error", True),
        ("/home/me/train.py", "None", False),  # whoever raised it says that it is no cause
        ("psycopg_binary/pq/conninfo.pyx", "error", False),
    ],
)
def test_only_what_passed_through_ones_own_code_keeps_its_traceback(
    inner: str, cause: str, is_own: bool
) -> None:
    held: dict[str, BaseException] = {}
    exec(compile("def inner():\n    1 / 0\n", inner, "exec"), held)
    exec(compile(_CAUGHT.format(cause=cause), "<library>", "exec"), held)
    assert is_users_own(held["caught"]) == is_own
