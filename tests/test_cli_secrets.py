"""Secrets given on the command line are in no file of the run, nor in its config.yaml."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from cli_helpers import QUIET, CommandLine, Ended, in_process, project, thexp_pl

# jsonargparse deprecates what Lightning calls
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
__all__ = ["project", "thexp_pl"]  # fixtures

UPLOAD = """
import pytorch_lightning as pl
from lit import Model


class Upload(pl.Callback):
    def __init__(self, api_key: str, url: str, hooks: list[str], hub: dict):
        pass


class Secretive(Model):
    def __init__(self, url: str, password: str = "", sort_key: str = "val_loss", lr: float = 0.1):
        super().__init__()
"""

CONFIG = """
trainer:
  callbacks:
  - class_path: upload.Upload
    init_args:
      api_key: planted-key-1x
      url: https://me:planted-url-2x@host/x
      hooks: ["https://host/?token=planted-hook-3x&x=1", "planted-key-1x", plain]
      hub: {tokens: [planted-hub-4x], name: digits}
"""


@pytest.fixture(scope="module")
def ended(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Ended:
    """Train with secrets among the flags and in a file of the configuration."""
    folder = tmp_path_factory.mktemp("secrets")
    (folder / "upload.py").write_text(UPLOAD)
    (folder / "settings.yaml").write_text(CONFIG)
    done = in_process(
        project,
        *("fit", "--config=settings.yaml", "--model=upload.Secretive", "--record.code=false"),
        *("--model.url=https://host/?sig=planted-sig-5x", "--model.password=planted-flag-6x"),
        *("--trainer.max_epochs=1", *QUIET),
        cwd=folder,
    )
    assert done.code == 0, done.err
    return Ended(done.code, done.out.replace("run:  ", f"run:  {folder}/"), done.err)


@pytest.fixture(scope="module")
def facade(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Ended:
    """Train a facade with secrets among its parameters."""
    folder = tmp_path_factory.mktemp("facade")
    done = in_process(
        project,
        *("fit", "--trainer_class=mine:MyTrainer", "--allow_new", "--api_key=planted-param-7x"),
        *("--hub={tokens: [planted-list-8x], url: 'https://me:planted-user-9x@host'}",),
        *("--label=planted-param-7x", "--record.code=false", *QUIET),
        cwd=folder,
    )
    assert done.code == 0, done.err
    return Ended(done.code, done.out.replace("run:  ", f"run:  {folder}/"), done.err)


def test_a_modules_secrets_are_not_in_its_configuration(ended: Ended) -> None:
    config = yaml.safe_load((ended.run / "config.yaml").read_text())
    assert config["trainer"]["callbacks"][0]["init_args"] == {
        "api_key": "<redacted>",
        "url": "https://<redacted>@host/x",
        "hooks": ["https://host/?token=<redacted>&x=1", "<redacted>", "plain"],
        "hub": {"tokens": "<redacted>", "name": "digits"},
    }
    assert config["model"]["init_args"] == {
        "url": "https://host/?sig=<redacted>",
        "password": "<redacted>",
        "sort_key": "val_loss",
        "lr": 0.1,
    }


def test_a_facades_secrets_are_not_in_its_configuration(facade: Ended) -> None:
    config = yaml.safe_load((facade.run / "config.yaml").read_text())
    assert config["api_key"] == config["label"] == "<redacted>"
    assert config["hub"] == "{tokens: [<redacted>], url: 'https://<redacted>@host'}"
    assert config["epoch"] == 2


@pytest.mark.parametrize("kind", ["ended", "facade"])
def test_no_file_but_a_checkpoint_holds_a_secret(kind: str, request: pytest.FixtureRequest) -> None:
    run = request.getfixturevalue(kind).run
    files = [path for path in run.parents[1].rglob("*") if path.is_file()]
    names = {path.name for path in files}
    assert {"run.json", "config.yaml", "root.json", "0000001.ckpt.json"} <= names
    for path in files:
        # a training is resumed with the parameters that it was given
        if path.suffix not in (".ckpt", ".pth"):
            assert b"planted" not in path.read_bytes(), path


def test_a_configuration_without_secrets_is_what_lightning_writes(thexp_pl: CommandLine) -> None:
    words = ("--sort_key=val_loss", "--pad_token=<pad>", "--max_tokens=512", "--epoch=1")
    ended = thexp_pl.mine("--allow_new", *words)
    assert ended.code == 0, ended.err
    printed = thexp_pl.mine("--allow_new", *words, "--print_config").out
    assert "sort_key: val_loss\npad_token: <pad>\nmax_tokens: 512\n" in printed
    assert (ended.run / "config.yaml").read_text() == printed
