"""Every test has a home and a folder of its own."""

from __future__ import annotations

from pathlib import Path

import hypothesis
import pytest

# the machine's speed is no property of the code
hypothesis.settings.register_profile("thexp_pl", deadline=None)
hypothesis.settings.load_profile("thexp_pl")


@pytest.fixture(autouse=True)
def own_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Point THEXP_HOME at an empty folder, so that no test sees the user's runs."""
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("THEXP_HOME", str(home))
    return home
