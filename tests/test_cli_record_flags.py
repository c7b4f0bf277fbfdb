"""The flags of the record, and what a run's own configuration and checkpoints lead to."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cli_helpers import QUIET, CommandLine, manifest, project, thexp_pl

# jsonargparse deprecates what Lightning calls
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
__all__ = ["project", "thexp_pl"]  # fixtures


def test_the_record_takes_its_options_from_flags_and_files(thexp_pl: CommandLine) -> None:
    Path("record.yaml").write_text("board: false\ncode: false\n")
    ended = thexp_pl.mine("--epoch=1", "--record=record.yaml", "--record.console=false")
    assert ended.code == 0, ended.err
    assert not (ended.run / "board").exists()
    assert not (ended.run / "logs" / "console.log").exists()
    assert manifest(ended.run)["code"] is None

    ended = thexp_pl.mine("--epoch=1")
    assert (ended.run / "board").is_dir()
    assert manifest(ended.run)["code"]["files"] > 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--record.bord=false"], "record.bord"),
        (["--record.max_file_mb=-1"], "max_file_mb=-1"),
        (["--record.project=nowhere"], "nowhere"),
        (["--record.code=maybe"], "record.code"),
        (["--config=off.yaml"], "record"),
    ],
)
def test_an_option_that_is_none_is_one_line_and_leaves_no_run(
    thexp_pl: CommandLine, words: list[str], said: str
) -> None:
    Path("off.yaml").write_text("record: false\n")
    ended = thexp_pl.mine("--epoch=1", *words)
    assert ended.code == 2
    assert said in ended.line()
    assert not Path("experiment").exists()


def test_a_configuration_with_a_redacted_value_is_not_trained_with(thexp_pl: CommandLine) -> None:
    Path("own.yaml").write_text("label: <redacted>\n")
    ended = thexp_pl.mine("--epoch=1", "--config=own.yaml")
    assert ended.code == 2
    assert "--label: the configuration holds <redacted>" in ended.line()


def test_a_facade_that_goes_on_from_another_run_names_its_parent(thexp_pl: CommandLine) -> None:
    first = thexp_pl.mine("--epoch=1", *QUIET)
    checkpoint = first.run / "modules" / "0000001.ckpt"
    second = thexp_pl.mine("--epoch=2", f"--ckpt_path={checkpoint}", *QUIET)
    assert second.code == 0, second.err
    parent = manifest(second.run)["parent"]
    assert (parent["key"], parent["how"]) == (first.run.name, "resumed")
    assert checkpoint.samefile(second.run.parents[1] / parent["checkpoint"])
    events = [json.loads(line) for line in (second.run / "journal.jsonl").read_text().splitlines()]
    (resume,) = (event for event in events if event["event"] == "resume")
    assert resume["run"] == first.run.name
