"""A real `thexp-pl ui` process, and questions to it."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from thexp_pl.record import Experiment
from thexp_pl.record.paths import RunPaths
from thexp_pl.report.page import run_id

DEADLINE = 180  # seconds; a busy machine takes many to start Python
HOSTILE = "<script>window.pwned=1<∕script>"


def record(root: Path, name: str = "digits", steps: int = 3, **params: Any) -> RunPaths:
    """Record a run whose loss is 1, 1/2, 1/3 ..."""
    with Experiment(root, name, code=False, console=False) as exp:
        exp.params = params
        for step in range(steps):
            exp.log_metrics(step, 0, {"loss": 1 / (step + 1)})
    return exp.paths


@dataclass
class Answer:
    """What the server answered."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    def refusal(self) -> str:
        """The one line of a refusal that is the asker's fault."""
        assert 400 <= self.status < 500, (self.status, self.body)
        assert list(self.json) == ["error"]
        assert "\n" not in self.json["error"]
        return self.json["error"]


@dataclass
class Server:
    """A process that serves."""

    process: subprocess.Popen[str]
    address: str
    cookie: str = ""

    @property
    def port(self) -> int:
        return int(self.address.split(":")[2].split("/")[0])

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def token(self) -> str:
        return self.address.partition("token=")[2]

    def ask(
        self, path: str, method: str = "GET", body: bytes | None = None, **headers: str
    ) -> Answer:
        """Ask for a path as it stands; a header is written ``sec_fetch_site="none"``."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=DEADLINE)
        host = headers.pop("host", f"127.0.0.1:{self.port}")
        connection.putrequest(method, path, skip_host=True)
        for name, value in {"host": host, **headers}.items():
            connection.putheader(name.replace("_", "-"), value.encode("utf-8"))
        if body is not None:
            connection.putheader("content-length", str(len(body)))
        connection.endheaders(body)
        found = connection.getresponse()
        told = {name.lower(): value for name, value in found.getheaders()}
        answer = Answer(found.status, told, found.read())
        connection.close()
        return answer

    def enter(self) -> None:
        """Exchange the token for the cookie."""
        found = self.ask(f"/?token={self.token}")
        assert found.status == 303
        self.cookie = found.headers["set-cookie"].partition(";")[0]

    def get(self, path: str, headers: dict[str, str] | None = None, **asked: Any) -> Answer:
        """Ask as the pages do."""
        query = f"?{urlencode(asked)}" if asked else ""
        return self.ask(path + query, cookie=self.cookie, **(headers or {}))

    def get_until(self, is_so: Callable[[Any], object], path: str, **asked: Any) -> Any:
        """Ask until the answer is so: the files are looked at once a second."""
        deadline = time.monotonic() + DEADLINE
        while not is_so(found := self.get(path, **asked).json):
            assert time.monotonic() < deadline, found
            time.sleep(0.05)
        return found

    def post(self, paths: RunPaths, change: Any, **headers: str) -> Answer:
        """Change tags and notes as the pages do."""
        own = {"cookie": self.cookie, "origin": self.base, "x_thexp": "1", **headers}
        body = change if isinstance(change, bytes) else json.dumps(change).encode()
        given = {name: value for name, value in own.items() if value}
        return self.ask(f"/api/run/{run_id(paths)}/notes", "POST", body, **given)


@contextmanager
def serving(*words: str, home: Path | None = None, **variables: str) -> Iterator[Server]:
    """Serve until the block ends; without `home` the runs of the test's own are known."""
    environment = {**os.environ, **variables}
    if home is not None:
        environment["THEXP_HOME"] = str(home)
    process = subprocess.Popen(
        [sys.executable, "-m", "thexp_pl", "ui", *words],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment,
    )  # fmt: skip
    overdue = threading.Timer(DEADLINE, process.kill)
    overdue.start()
    try:
        assert process.stdout is not None
        told = process.stdout.readline()
        overdue.cancel()
        assert told.startswith("thexp-pl ui: http://127.0.0.1:"), told or process.communicate()[1]
        server = Server(process, told.split(": ", 1)[1].strip())
        server.enter()
        yield server
    finally:
        overdue.cancel()
        if process.poll() is None:
            process.terminate()
        process.communicate(timeout=DEADLINE)


def expect(locator: Any) -> Any:
    """Playwright's own waiting, as long as a busy machine needs."""
    from playwright.sync_api import expect

    expect.set_options(timeout=1000 * DEADLINE)
    return expect(locator)
