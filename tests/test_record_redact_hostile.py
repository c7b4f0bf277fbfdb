"""Any text is taken, whatever it is made of, in time that is in proportion to its length."""

from __future__ import annotations

import sys
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from thexp_pl.record.redact import Redactor


@given(st.text())
def test_any_text_is_taken_and_taken_again_unchanged(text: str) -> None:
    redactor = Redactor()
    once = redactor.text(text)
    assert redactor.text(once) == once


PIECES = [
    "api_key", "token", "key", "password", "=", ":", " ", '"', "'", "\\", "\n", "{", "}", "[", "]",
    "(", ")", ",", "planted-1x", "<redacted>", "://", "@", "?", "&", "--", "Bearer ", "Basic ",
    "str", "-----BEGIN PRIVATE KEY-----", "-----END PRIVATE KEY-----", "A" * 20, "sig", "/", "%20",
    "API ", "Authorization", "'\"'\"'",
]  # fmt: skip


@given(st.lists(st.sampled_from(PIECES), max_size=14).map("".join))
@example("api_key-----BEGIN PRIVATE KEY-----=")
@example("api_key-----BEGIN PRIVATE KEY-----=api_key")
@example('token:"API api_key')
def test_a_text_made_of_what_secrets_stand_in_is_taken_once(text: str) -> None:
    redactor = Redactor()
    once = redactor.text(text)
    assert redactor.text(once) == once
    assert redactor.tree([text]) == redactor.tree(redactor.tree([text]))


@pytest.mark.parametrize(
    "text",
    [
        'api_key={a1}"',
        "://://@@",
        "<redacted>api_keyapi_key=<redacted>api_key",
        "-----BEGIN PRIVATE KEY-----\nComment: -----BEGIN PRIVATE KEY-----\n",
    ],
)
def test_what_was_redacted_stays_as_it_is(text: str) -> None:
    redactor = Redactor()
    once = redactor.text(f"{text}\nlast line")
    assert once.count("last line") == 1
    assert redactor.text(once) == once


@given(st.text(), st.from_regex(r"[A-Za-z0-9!#$%^*+./<>?@|~ -]{1,40}", fullmatch=True))
def test_a_quoted_value_goes_whole(before: str, value: str) -> None:
    marked = f"Q7{value}7Q"
    shown = Redactor().text(f"{before}\nclient_secret = '{marked}', lr = 1")
    assert marked not in shown
    assert shown.endswith(", lr = 1")


HOSTILE = [
    "a-", "key=", "://", "key=[", "token={'a': ", 'key="', 'key=\\"', 'password: "\\', "\\",
    "-----BEGIN PRIVATE KEY-----", "eyJaaaaaaaaa", "eyJaaaaaaaa.", "://a:b", "?token=", "http://a:x/",
    "basic aaaaaaaaa", "('token', 'a", "sk-aaaaa-", 'key="""', "password='a'\"'\"'", "tokens=(a ",
]  # fmt: skip


def calls_for(text: str) -> int:
    """Count the functions that are called, Python's own included."""
    redactor = Redactor()
    count = 0

    def profile(frame: Any, event: str, argument: Any) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(profile)
    try:
        redactor.text(text)
    finally:
        sys.setprofile(None)
    return count


@pytest.mark.parametrize("piece", HOSTILE)
def test_hostile_text_takes_work_in_proportion_to_its_length(piece: str) -> None:
    few, many = calls_for(piece * 500), calls_for(piece * 2000)
    assert many <= 4.5 * few + 500


@pytest.mark.parametrize("piece", HOSTILE)
def test_a_long_hostile_text_is_read_to_its_end(piece: str) -> None:
    text = piece * ((1 << 17) // len(piece))  # a quadratic reading takes many minutes
    assert Redactor().text(f"{text}\nlast line").endswith("last line")


def test_brackets_in_brackets_are_read_once() -> None:
    depth = 20_000
    text = "keys=[1, " * depth + "]" * depth
    assert Redactor().text(f"{text}\nlast line").endswith("\nlast line")


def test_a_line_of_blanks_within_a_key_is_read_at_once() -> None:
    line = Redactor().lines()
    line("-----BEGIN PRIVATE KEY-----")
    text = " " * (1 << 18) + "!"
    assert line(text) == text
