"""Every test has a home and a folder of its own."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def own_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Point THEXP_HOME at an empty folder, so that no test sees the user's runs."""
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("THEXP_HOME", str(home))
    return home
