"""Cookies, sessions and what else is a secret by name and value; tokens without their scheme."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from thexp_pl.record.redact import REDACTED, Redactor, is_secret_name

TOKEN = "hdrTOK123456"
NAMES = [
    *("cookie", "Cookie", "set-cookie", "Set-Cookie", "session_cookies", "creds", "db_creds"),
    *("bearer", "pass_phrase", "session_id", "sessionId", "SESSION_ID", "dsn", "SENTRY_DSN"),
    *("connection_string", "connectionString", "conn_str", "webhook_url", "SLACK_WEBHOOK_URL"),
    *("sas_token", "pass-phrase"),
]


@pytest.mark.parametrize("scheme", ["Bearer", "Basic", "Token", "token"])
@pytest.mark.parametrize(
    "tell",
    [
        lambda redactor, value: redactor.tree({"headers": {"Authorization": value}}),
        lambda redactor, value: redactor.tree(["-H", f"Authorization: {value}"]),
        lambda redactor, value: redactor.argv(["x", "--authorization", value]),
        lambda redactor, value: redactor.argv(["x", f"--authorization={value}"]),
        lambda redactor, value: redactor.argv(["x", "-H", f"Authorization: {value}"]),
        lambda redactor, value: redactor.text(f"{{'Authorization': '{value}'}}"),
        lambda redactor, value: redactor.text(f"proxy-authorization: {value}"),
    ],
)
def test_a_token_is_known_without_the_scheme_before_it(tell: Any, scheme: str) -> None:
    redactor = Redactor()
    assert TOKEN not in str(tell(redactor, f"{scheme} {TOKEN}"))
    assert redactor.text(f"401: {TOKEN} is no good") == f"401: {REDACTED} is no good"
    assert redactor.text(f"{scheme} of it") == f"{scheme} of it"


@pytest.mark.parametrize("scheme", ["Bearer", "Basic", "Token"])
@pytest.mark.parametrize(
    ("name", "form"),
    [("AUTHORIZATION", "{}"), ("HEADERS", "Authorization: {}"), ("OTEL", "x=1,authorization={}")],
)
def test_a_token_of_the_environment_is_known_without_the_scheme_before_it(
    monkeypatch: pytest.MonkeyPatch, scheme: str, name: str, form: str
) -> None:
    monkeypatch.setenv(name, form.format(f"{scheme} {TOKEN}"))
    assert Redactor().text(TOKEN) == REDACTED


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("value", ["k3f9-a81xQ", "postgres://me:pw-k3f9-a81xQ@host/db"])
def test_what_is_a_secret_by_name_and_value_goes_everywhere(name: str, value: str) -> None:
    ways: list[Callable[[Redactor], object]] = [
        lambda redactor: redactor.tree({name: value}),
        lambda redactor: redactor.tree({"deep": [{name: [value]}]}),
        lambda redactor: redactor.argv(["x", f"--{name}={value}"]),
        lambda redactor: redactor.argv(["x", f"--{name}", value]),
        lambda redactor: redactor.text(f"{name}={value}"),
        lambda redactor: redactor.text(f"config({name}='{value}')"),
        lambda redactor: redactor.text(f'{{"{name}": "{value}"}}'),
    ]
    for redacted in ways:
        redactor = Redactor()
        assert "k3f9" not in str(redacted(redactor))
        assert "k3f9" not in redactor.text(f"again: {value}")


def test_the_password_in_a_secret_url_is_known_by_itself() -> None:
    redactor = Redactor()
    redactor.tree({"dsn": "postgres://me:pw-k3f9-a81xQ@host/db"})
    assert redactor.text("pw-k3f9-a81xQ at host") == f"{REDACTED} at host"


@pytest.mark.parametrize("header", ["Cookie: lang=en; sid={}; x=y", "Set-Cookie: sid={}; HttpOnly"])
def test_all_cookies_of_a_header_go_and_are_known_one_by_one(header: str) -> None:
    redactor = Redactor()
    name = header.partition(":")[0]
    assert redactor.text(f"> {header.format(TOKEN)}\n> next") == f"> {name}: {REDACTED}\n> next"
    assert redactor.text(TOKEN) == REDACTED


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("session_id", 3), ("session_id", "3"), ("session_id", 20240102), ("dsn", 8), ("dsn", "8"),
        ("cookie", "chocolate"), ("cookie", True), ("cookies", None), ("creds", "default"),
        ("bearer", ["of", "news"]), ("conn_str", "sqlite"), ("webhook_url", ""), ("dsn", "none"),
        ("session_id", "20240102"), ("cookies", {"flavour": "oatmeal", "number": 3}),
        ("connection_string", "${oc.env:DATABASE}"), ("signature", "(x) -> y"),
        ("webhook_url", "x1"), ("cookiecutter", "k3f9-a81xQ"), ("connection", "k3f9-a81xQ"),
        ("session", "k3f9-a81xQ"), ("dsn_dim", "k3f9-a81xQ"),
    ],
)  # fmt: skip
def test_what_only_has_such_a_name_stays(name: str, value: object) -> None:
    assert Redactor().tree({name: value}) == {name: value}
    if value != "":
        assert not is_secret_name(name, value)
    if isinstance(value, str | int):
        argument = f"--{name}={value}"
        assert value == "" or Redactor().argv(["x", argument]) == ["x", argument]


@pytest.mark.parametrize(
    "line",
    [
        "session_id=3 dsn=8 signature='(x) -> y'",
        "signature=\"(x) -> y\"",
        "Cookie: chocolate",
        "cookie = response.cookies['x']",
        "creds = get_creds() or self._creds",
        "def f(dsn: str | None = None, cookies=None, session_id: int = 0) -> None:",
        "session_id=session.id, dsn=cfg.dsn",
        "for cookie in jar: print(cookie)",
        "Connection refused: 10.0.0.1, connected=True, session=train-3",
        "bearer: ordinary",
        "https://host/x?page=2&session_id=3",
        "print(f'{session_id=}')",
    ],
)  # fmt: skip
def test_ordinary_lines_with_such_names_come_out_unchanged(line: str) -> None:
    assert Redactor().text(line) == line
    assert Redactor().argv(["x", line]) == ["x", line]


def test_a_signature_in_a_query_goes() -> None:
    redactor = Redactor()
    url = "https://host/blob?se=2024&signature=k3f9%2Fa81xQ&x=1"
    assert redactor.tree({"blob": url}) == {
        "blob": f"https://host/blob?se=2024&signature={REDACTED}&x=1"
    }
    assert redactor.text("k3f9/a81xQ") == REDACTED


@pytest.mark.parametrize(
    "params",
    [
        ["--token", "ListTok5566"],
        {"launch": {"command": ["python", "x.py", "--epochs", 3, "--api-key", "ListTok5566"]}},
        [["-password", "ListTok5566", "--lr", 0.1]],
        {"hooks": [{"args": ["--api_keys", "ListTok5566", "ListTok5566"]}]},
        ["--cookie", "ListTok5566"],
    ],
)
def test_a_list_in_the_parameters_is_read_like_a_command(params: Any) -> None:
    redactor = Redactor()
    assert "ListTok5566" not in str(redactor.tree(params))
    assert redactor.text("ListTok5566") == REDACTED


def test_a_list_of_flags_and_numbers_stays() -> None:
    params = ["--sort_key", "val_loss", "--lr", 0.1, "--flags", ["-x", None], {"a": [True]}]
    params += ["--max_tokens", 512, "--token", "--password", None, "--session_id", 3]
    assert Redactor().tree(params) == params
    assert Redactor().tree(["--password", 12345678, "x"]) == ["--password", REDACTED, "x"]
