"""A secret that is known is found again, in whatever form and place it stands."""

from __future__ import annotations

import json
import pickle
import shlex
import subprocess
import sys
import threading
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from thexp_pl.record.redact import REDACTED, Redactor
from thexp_pl.record.redact.ordinary import is_ordinary

VALUE = "pla 'nt\"ed/+é%\\1x"


def knowing(*values: str) -> Redactor:
    """Give a redactor that was told values as parameters."""
    redactor = Redactor()
    redactor.tree({"api_key": list(values)})
    return redactor


@pytest.mark.parametrize(
    "shown",
    [
        VALUE, json.dumps(VALUE), json.dumps(VALUE, ensure_ascii=False), repr(VALUE), ascii(VALUE),
        quote(VALUE), quote(VALUE, safe=""), quote_plus(VALUE), quote(VALUE, safe="").lower(),
        shlex.quote(VALUE), shlex.join(["--x", f"a={VALUE}"]), f"<{VALUE}>", f"ckpt-{VALUE}.pt",
    ],
)  # fmt: skip
def test_a_known_value_is_found_in_all_its_forms(shown: str) -> None:
    found = knowing(VALUE).text(f"before {shown} after")
    assert REDACTED in found
    assert "1x" not in found
    assert (found[:7], found[-6:]) == ("before ", " after")


@given(st.text(min_size=8), st.sampled_from([str, json.dumps, repr, quote, quote_plus]))
def test_any_value_that_is_no_word_is_found_in_any_form(value: str, form: object) -> None:
    value = value.strip()
    assume(len(value) >= 8 and not is_ordinary(value) and "\n" not in value)
    assume(len(value.splitlines()) == 1 and REDACTED not in value)
    assume(value.isprintable() or form is str)
    shown = form(value)  # type: ignore[operator]
    assert knowing(value).text(f"[{shown}]") in (
        f"[{REDACTED}]",
        f'["{REDACTED}"]',
        f"['{REDACTED}']",
    )


def test_a_value_that_holds_another_goes_whole() -> None:
    redactor = knowing("planted-1x", "planted-1x-and-more-2y")
    assert redactor.text("planted-1x-and-more-2y planted-1x") == f"{REDACTED} {REDACTED}"


def test_the_lines_of_a_secret_of_several_lines_are_known_one_by_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lines = [f"{number}planted/plantedplantedplanted+" for number in range(5)]
    monkeypatch.setenv("DEPLOY_KEY", "\n".join(["HEAD", *lines, "END", ""]))
    redactor = Redactor()
    assert redactor.text("HEAD " + "  \n".join(lines)) == f"HEAD {REDACTED}" + (
        f"  \n{REDACTED}" * 4
    )


def test_a_variable_that_is_set_later_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    redactor = Redactor()
    monkeypatch.setenv("SERVICE_TOKEN", "planted-1x")
    assert redactor.text("planted-1x") == REDACTED
    monkeypatch.setenv("SERVICE_TOKEN", "planted-2y")
    assert redactor.tree({"name": "planted-1x planted-2y"}) == {"name": f"{REDACTED} {REDACTED}"}
    monkeypatch.delenv("SERVICE_TOKEN")
    monkeypatch.setenv("SERVICE_PASSWORD", "planted-3z")
    assert redactor.argv(["planted-1x", "planted-3z"]) == [REDACTED, REDACTED]


def test_a_password_in_a_url_of_the_environment_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgres://me:planted%2F1x@host/db")
    assert Redactor().text("me@host: planted/1x, planted%2F1x") == (
        f"me@host: {REDACTED}, {REDACTED}"
    )


def test_secrets_within_a_variable_of_json_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(
        "GOOGLE_CREDENTIALS", json.dumps({"project": "digits-1", "private_key": "planted\n1x"})
    )
    assert Redactor().text("digits-1: planted\n1x") == f"digits-1: {REDACTED}"


def test_the_file_of_a_key_is_no_secret_and_a_value_that_looks_like_one_is(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "id_1").write_text("")
    monkeypatch.setenv("SSH_KEY", str(tmp_path / "id_1"))
    monkeypatch.setenv("SSL_KEY", str(tmp_path))
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "/planted+1x/Abc")
    text = f"{tmp_path / 'id_1'} {tmp_path} "
    assert Redactor().text(f"{text}/planted+1x/Abc") == f"{text}{REDACTED}"


def test_the_process_own_command_line_is_known_from_the_beginning() -> None:
    script = (
        "from thexp_pl.record.redact import Redactor\n"
        "print(Redactor().text('planted-1x, and planted-2y'))\n"
    )
    command = [sys.executable, "-c", script, "planted-2y", "--token", "planted-2y"]
    command += ["--api_key=planted-1x"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == f"{REDACTED}, and {REDACTED}\n"


def test_what_is_known_goes_into_another_process() -> None:
    redactor = pickle.loads(pickle.dumps(knowing("planted-1x")))
    assert redactor.text("planted-1x") == REDACTED


def test_a_value_that_was_found_escaped_is_known_unescaped() -> None:
    redactor = Redactor()
    redactor.text(json.dumps({"api_key": 'planted"1x'}))
    assert redactor.text('it is planted"1x') == f"it is {REDACTED}"


def test_names_of_metrics_that_came_before_a_secret_was_known_are_looked_at_again() -> None:
    redactor = Redactor()
    assert redactor.name("loss planted-1x") == "loss planted-1x"
    redactor.tree({"token": "planted-1x"})
    assert redactor.name("loss planted-1x") == f"loss {REDACTED}"


def test_a_log_full_of_new_secrets_does_not_grow_what_is_known_without_end() -> None:
    redactor = Redactor()
    for number in range(3000):
        redactor.text(f"api_key=planted-{number}x")
    redactor.tree({"api_key": "planted-last"})
    assert redactor.text("planted-last") == REDACTED  # parameters count all the same
    assert redactor.text("planted-2999x") == "planted-2999x"


def test_threads_that_find_secrets_at_once_lose_none() -> None:
    redactor = Redactor()
    values = [f"planted-{number}x" for number in range(400)]

    def find(part: list[str]) -> None:
        for value in part:
            redactor.tree({"password": value})
            redactor.text(f"{value} and more")

    threads = [threading.Thread(target=find, args=(values[i::4],)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert "planted" not in redactor.text(" ".join(values))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("learning_rate", True), ("transformer", True), ("LearningRateMonitor", True),
        ("kubernetes", True), ("a/path.of_words", True), ("--------", True),
        ("qjzkxvwpmbtyhgfd", False), ("XkQzPwRtYuIo", False), ("letmein1", False),
        ("correct horse battery staple", False),
    ],
)  # fmt: skip
def test_words_are_told_from_what_could_be_a_secret(value: str, expected: bool) -> None:
    assert is_ordinary(value) == expected
