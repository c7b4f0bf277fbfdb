"""Every test has a home and a folder of its own."""

from __future__ import annotations

import os
import signal
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest

# ignored where the suite was started by nohup or in the background: what it starts would do so too
signal.signal(signal.SIGHUP, signal.SIG_DFL)
signal.signal(signal.SIGINT, signal.default_int_handler)
# a process that may write no large file would leave torn bytecode for all others
os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
sys.dont_write_bytecode = True

# the machine's speed is no property of the code
hypothesis.settings.register_profile("thexp_pl", deadline=None)
hypothesis.settings.load_profile("thexp_pl")


@pytest.fixture(autouse=True)
def own_home(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Path]:
    """Point THEXP_HOME at an empty folder, so that no test sees the user's runs.

    The working directory is an empty folder too: it is the project whose code a run keeps.
    """
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("THEXP_HOME", str(home))
    monkeypatch.chdir(tmp_path_factory.mktemp("project"))
    yield home
    if "thexp_pl.record.ending" in sys.modules:  # the threads of a run that a test left open
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            sys.modules["thexp_pl.record.ending"].end_all()


@pytest.fixture(scope="module")
def browser() -> Iterator[object]:
    """A browser for the tests of a module; its tests carry `browser_helpers.needs_browser`."""
    from browser_helpers import opened_browser

    with opened_browser() as running:
        yield running


@pytest.fixture
def ui_server(own_home: Path) -> Iterator[object]:
    """A `thexp-pl ui` that serves the runs of this test's home, a `ui_helpers.Server`."""
    from ui_helpers import serving

    with serving("--port", "0") as running:
        yield running


@pytest.fixture(scope="module")
def team_server() -> Iterator[object]:
    """A PostgreSQL server for the tests of a module, which carry `postgres_helpers.needs_postgres`.

    Its type is `postgres_helpers.PostgresServer`.
    """
    from postgres_helpers import running_server

    with running_server() as running:
        yield running


@pytest.fixture
def database(team_server: Any) -> str:
    """The name of an empty database on that server."""
    return str(team_server.new_database())


@pytest.fixture
def machine(
    team_server: Any, database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., object]:
    """Make a machine of a team, by its name; its index is that database, or that of a `url`.

    The type is `postgres_helpers.MakeMachine`.
    """
    from postgres_helpers import Machine

    def made(name: str, url: str = "") -> Machine:
        return Machine(tmp_path / name, url or team_server.url(database), monkeypatch)

    return made
