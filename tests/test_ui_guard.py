"""The live pages answer nobody but the browser of who was told the token."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from ui_helpers import Server, record, serving

from thexp_pl.record.notes import read_notes
from thexp_pl.record.paths import RunPaths
from thexp_pl.report.page import run_id

PATHS = ("/", "/compare", "/plotly.min.js", "/api/list", "/api/rows", "/api/names", "/api/sparks",
         "/api/page", "/api/curves", "/nothing")  # fmt: skip


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunPaths]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("THEXP_HOME", str(tmp_path_factory.mktemp("first")))
        yield record(tmp_path_factory.mktemp("root"))


@pytest.fixture(scope="module")
def server(run: RunPaths, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    home = tmp_path_factory.mktemp("home")
    with serving("--port", "0", "--exps_dir", str(run.root), home=home) as running:
        yield running


@pytest.mark.parametrize("path", PATHS)
def test_without_the_cookie_no_address_answers(server: Server, run: RunPaths, path: str) -> None:
    found = server.ask(path)
    assert found.status == 403
    assert b"thexp-pl ui" in found.body  # it says what to do
    assert run.key.encode() not in found.body
    assert server.token.encode() not in found.body


def test_the_token_is_exchanged_for_a_cookie_and_leaves_the_address(server: Server) -> None:
    found = server.ask(f"/?token={server.token}")
    assert (found.status, found.headers["location"]) == (303, "/")
    name, *rest = found.headers["set-cookie"].split("; ")
    assert name.startswith(f"thexp_pl_{server.port}=")
    assert {"HttpOnly", "SameSite=Strict", "Path=/"} == set(rest)
    assert server.token not in name
    assert len(server.token) >= 128 / 6  # letters of 6 bits
    assert server.ask("/api/rows", cookie=f"odd=[}}; {name}; other=1").status == 200


@pytest.mark.parametrize("token", ["", "x", "%FF", "a&token=b"])
def test_a_wrong_token_lets_nobody_in(server: Server, token: str) -> None:
    found = server.ask(f"/?token={token}")
    assert found.status == 403
    assert "set-cookie" not in found.headers
    assert server.ask(f"/api/rows?token={server.token}").status == 403
    assert server.ask("/", cookie=f"thexp_pl_{server.port}={server.token}").status == 403


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1", "evil.example:{port}", "127.0.0.1:{port}.evil", ""]
)
def test_another_host_is_refused_even_with_the_cookie(server: Server, host: str) -> None:
    host = host.format(port=server.port)
    assert server.ask("/api/rows", cookie=server.cookie, host=host).status == 403
    assert server.ask(f"/?token={server.token}", host=host).status == 403


def test_localhost_is_this_machine_too(server: Server) -> None:
    host = f"localhost:{server.port}"
    assert server.ask("/api/rows", cookie=server.cookie, host=host).status == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site"},  # another port of this machine
        {"origin": "http://evil.example"},
        {"origin": "http://127.0.0.1:1"},
        {"origin": "null"},
    ],
)
def test_another_site_is_refused_even_with_the_cookie(
    server: Server, headers: dict[str, str]
) -> None:
    assert server.get("/api/rows", headers).status == 403
    assert server.get("/", {**headers}).status == 403


def test_a_change_needs_the_origin_and_the_header(server: Server, run: RunPaths) -> None:
    before = run.notes.read_bytes() if run.notes.exists() else b""
    for missing in ("cookie", "origin", "x_thexp"):
        assert server.post(run, {"add": ["bad"]}, **{missing: ""}).status == 403
    assert server.post(run, {"add": ["bad"]}, origin="http://evil.example").status == 403
    assert server.get(f"/api/run/{run_id(run)}/notes").status == 405
    assert (run.notes.read_bytes() if run.notes.exists() else b"") == before
    assert server.post(run, {"add": ["good"]}).status == 200
    assert read_notes(run)["tags"] == ["good"]


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
def test_other_methods_do_nothing(server: Server, method: str) -> None:
    own = {"cookie": server.cookie, "origin": server.base, "x_thexp": "1"}
    found = server.ask("/api/rows", method, **own)
    assert found.status == 405
    assert not any(name.startswith("access-control") for name in found.headers)


@pytest.mark.parametrize(
    "path",
    [
        "/run/..%2f..%2frun.json", "/run/../run.json", "//etc/passwd", "/../../etc/passwd",
        "/%2e%2e/%2e%2e/etc/passwd", "/assets/../app.py", "/run/%00", "/run/{id}/../../x",
        "/run/{id}%2frun.json", "/api/page?ids=..%2f..", "/api/curves?ids=%2fetc%2fpasswd",
        "/plotly.min.js/..", "/run/{key}", "/{id}/run.json",
    ],
)  # fmt: skip
def test_no_address_is_a_path_on_the_disk(server: Server, run: RunPaths, path: str) -> None:
    found = server.get(path.format(id=run_id(run), key=run.key))
    assert 400 <= found.status < 500
    assert b"schema" not in found.body
    assert b"root:" not in found.body


@pytest.mark.parametrize("path", ["/", "/api/rows", "/nothing", "/plotly.min.js", "/run/{id}"])
def test_every_answer_has_the_headers_of_safety(server: Server, run: RunPaths, path: str) -> None:
    found = server.get(path.format(id=run_id(run))).headers
    assert found["x-content-type-options"] == "nosniff"
    assert found["referrer-policy"] == "no-referrer"
    assert found["cross-origin-resource-policy"] == "same-origin"
    policy = found["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "script-src 'unsafe-inline'" not in policy
    assert path.startswith("/plotly") or found["cache-control"] == "no-store"
    assert "server" not in found


def test_each_page_has_a_nonce_of_its_own(server: Server) -> None:
    def nonce() -> str:
        found = server.get("/")
        nonce = found.headers["content-security-policy"].split("'nonce-")[1].split("'")[0]
        assert f'nonce="{nonce}"'.encode() in found.body
        return nonce

    assert nonce() != nonce()


def test_only_this_machine_can_reach_it(server: Server) -> None:
    process = psutil.Process(server.process.pid)
    connections = getattr(process, "net_connections", None) or process.connections  # before 6.0
    listening = [each.laddr.ip for each in connections("inet") if each.status == psutil.CONN_LISTEN]
    assert listening == ["127.0.0.1"]


words = st.text(max_size=30) | st.sampled_from(
    ["params.lr <", "not", "((((", "1e999", "-1", "9" * 40, "started", "metrics.loss.max", "%_\\"]
)


@settings(max_examples=60)
@example(path="/api/rows", asked={"until": "1e999"})
@example(path="/api/rows", asked={"text": "word " * 900})
@example(path="/api/rows", asked={"text": "%" * 6_000, "skip": "9" * 15})
@given(
    path=st.sampled_from(["/api/rows", "/api/sparks", "/api/curves", "/api/page", "/compare"]),
    asked=st.dictionaries(
        st.sampled_from(
            ["text", "sort", "limit", "skip", "until", "ids", "metric", "after", "back", "detail"]
        ),
        words,
    ),
)
def test_whatever_is_asked_is_never_the_servers_own_fault(
    server: Server, path: str, asked: dict[str, str]
) -> None:
    asked = {name: text.encode("utf-8", "replace").decode() for name, text in asked.items()}
    found = server.get(path, **asked)
    assert found.status < 500, found.body
    assert found.status == 200 or found.refusal()


def test_a_page_names_nothing_of_the_folders_around_the_root(server: Server, run: RunPaths) -> None:
    other = record(Path(str(run.root) + "-other"))
    assert server.get("/api/page", ids=run_id(other)).status == 404
    assert server.get(f"/run/{run_id(other)}").status == 404
