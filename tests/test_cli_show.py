"""`thexp-pl show`: what it tells of a run."""

from __future__ import annotations

import csv
import io
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from typed_commands import Typed, record, thexp_pl

from thexp_pl.record import Experiment
from thexp_pl.saver import Saver

__all__ = ["thexp_pl"]


def section(text: str, title: str) -> list[str]:
    """Give the lines below a title."""
    _, _, rest = text.partition(f"\n\n{title}\n")
    return rest.split("\n\n")[0].splitlines()


def test_show_tells_facts_params_metrics_and_files(thexp_pl: Typed) -> None:
    exp = record(optim={"lr": 0.1})
    exp.tag("paper")
    exp.note("the good one")
    (exp.path / "modules").mkdir()
    (exp.path / "modules" / "0.bin").write_bytes(b"12345")
    text = thexp_pl("show", exp.key[:-1])
    for fact in ("digits", "finished", "paper", "the good one", str(exp.path)):
        assert fact in text
    assert section(text, "params") == ["optim.lr  0.1"]
    assert any(re.fullmatch(r"modules/0\.bin +5 bytes", line) for line in section(text, "files"))
    header, loss, acc = (line.split() for line in section(text, "metrics"))
    assert header == ["last", "min", "max", "mean", "count"]
    assert loss == ["loss", "0.5", "0.5", "2.5", "1.5", "2", "█▁"]
    assert acc == ["acc", "NaN", "NaN", "NaN", "NaN", "1", "(1", "not", "finite)"]


def test_show_says_what_ended_a_run(thexp_pl: Typed) -> None:
    with pytest.raises(ValueError, match="no such batch"), Experiment("./e", "a"):
        raise ValueError("no such batch")
    text = thexp_pl("show", "@last")
    assert "failed" in text
    assert "ended by message    no such batch" in text
    assert "traceback.txt" in text


def test_show_lists_checkpoints_and_what_is_wrong_with_each(thexp_pl: Typed) -> None:
    exp = record()
    saver = Saver(exp.path / "modules", max_to_keep=None)
    saver.keep_best("loss")
    for epoch, loss in enumerate((0.5, 0.25, 0.75, 0.8, 0.9), start=1):
        saver.save_checkpoint(epoch, {"w": 1.0}, {"loss": loss}, step=10 * epoch)
    saver.save_keypoint(2, {"w": 1.0})
    (exp.path / "modules" / "0000003.ckpt").write_bytes(b"torn")
    (exp.path / "modules" / "0000004.ckpt.json").unlink()
    (exp.path / "modules" / "0000005.ckpt.json").write_text("{")
    (exp.path / "modules" / "emergency.0.ckpt").write_bytes(b"12")
    lines = section(thexp_pl("show", "@last"), "checkpoints")
    told = {line.split("modules/")[1].split()[0]: line for line in lines[1:]}
    assert re.match(r"2 +20 +checkpoint +[0-9,]+ bytes .*best: loss 0.25$", told["0000002.ckpt"])
    assert told["0000001.ckpt"].endswith("0000001.ckpt")
    assert "damaged: its sidecar says" in told["0000003.ckpt"]
    assert "no sidecar: it was not saved to its end" in told["0000004.ckpt"]
    assert "its sidecar is damaged" in told["0000005.ckpt"]
    assert re.match(r"2 +- +keypoint ", told["keep.0000002.ckpt"])
    assert re.match(r"- +- +other +2 bytes ", told["emergency.0.ckpt"])
    found = {one["file"]: one for one in thexp_pl.json("show", "@last")["checkpoints"]}
    assert found["modules/0000002.ckpt"]["best"] == "loss 0.25"
    assert found["modules/0000003.ckpt"]["bytes"] == 4
    assert found["modules/0000003.ckpt"]["fault"] != ""


def test_show_tells_what_became_of_each_file(thexp_pl: Typed) -> None:
    with Experiment("./e", "a", code=False, console=False) as exp:
        part = exp.hold_exp_part("plot", [".png"])
        (part / "kept.png").write_bytes(b"1")
        (part / "gone.png").write_bytes(b"1")
    events = (
        '{"event": "modified", "time": "2026-01-01T00:00:00.000+00:00", "path": "plot/kept.png"}\n'
        '{"event": "moved", "time": "2026-01-01T00:00:00.000+00:00", "path": "plot/old.png",'
        ' "to": "plot/new.png"}\n'
    )
    with exp.paths.journal.open("a") as journal:
        journal.write(events * 2)
    (part / "gone.png").unlink()
    lines = [line.split(maxsplit=2) for line in section(thexp_pl("show", "@last"), "files")]
    told = {line[0]: line[1:] for line in lines}
    assert told["plot/kept.png"][0] == "1"
    assert told["plot/kept.png"][1].endswith("modified 2 times")
    assert told["plot/gone.png"][0] == "gone"
    assert told["plot/old.png"] == ["gone", "moved to plot/new.png 2 times"]


def test_checkpoints_that_newer_ones_replaced_do_not_crowd_the_files_out(thexp_pl: Typed) -> None:
    exp = record()
    with exp.paths.journal.open("a") as journal:
        for number in range(1000):
            path = f'"path": "modules/{number:07d}.ckpt"'
            for event in ("created", "deleted"):
                journal.write(f'{{"event": "{event}", "time": "2026-01-01", {path}}}\n')
    lines = section(thexp_pl("show", "@last"), "files")
    assert lines[-2].split() == ["modules/0000004.ckpt", "gone", "created,", "deleted"]
    assert lines[-1] == "... and 995 more that are gone"
    assert len(lines) < 20


def test_show_tells_which_data_a_run_used(thexp_pl: Typed, tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_text("12345")
    with Experiment("./e", "a", code=False, console=False) as exp:
        exp.uses(tmp_path / "train.csv")
        exp.uses("https://example.org/data")
    one, two = section(thexp_pl("show", "@last"), "data")
    assert re.search(r"train\.csv +5 bytes +5994471abb01$", one)
    assert re.fullmatch(r"https://example\.org/data +named", two)


def test_show_names_the_parent_of_a_run_and_its_children(thexp_pl: Typed) -> None:
    parent, child = record(), record()
    facts = child.paths.manifest.read_text().replace(
        '"parent": null', f'"parent": {{"how": "reproduced", "key": "{parent.key}"}}'
    )
    child.paths.manifest.write_text(facts)
    assert f"parent      reproduced from {parent.key}" in thexp_pl("show", child.key)
    assert f"child       {child.key}  finished" in thexp_pl("show", parent.key)
    children = [{"key": child.key, "status": "finished"}]
    assert thexp_pl.json("show", parent.key)["children"] == children
    assert thexp_pl.json("show", child.key)["children"] == []


def test_show_as_json_is_one_object(thexp_pl: Typed) -> None:
    exp = record(lr=0.1)
    exp.tag("paper")
    facts = thexp_pl.json("show", "@last")
    assert (facts["key"], facts["status"], facts["tags"]) == (exp.key, "finished", ["paper"])
    assert facts["path"] == str(exp.path)
    assert facts["params"] == {"lr": 0.1}
    assert facts["metrics"]["loss"]["last"] == 0.5
    assert (facts["ranks"], facts["checkpoints"], facts["cause"]) == ([], [], None)


def test_csv_gives_the_history_of_metrics(thexp_pl: Typed) -> None:
    exp = record()
    rows = list(csv.reader(io.StringIO(thexp_pl("show", "@last", "--csv"))))
    assert rows[0] == ["step", "epoch", "time", "name", "value"]
    assert [(*row[:2], *row[3:]) for row in rows[1:]] == [
        ("0", "0", "loss", "2.5"), ("1", "0", "loss", "0.5"), ("1", "0", "acc", "nan"),
    ]  # fmt: skip
    assert thexp_pl("show", "@last", "--csv") == exp.paths.metrics.read_text()
    chosen = thexp_pl("show", "@last", "--csv", "--metrics", "acc").splitlines()
    assert [line.split(",")[3] for line in chosen] == ["name", "acc"]


def test_metrics_chooses_and_offers_the_near_miss(thexp_pl: Typed) -> None:
    record()
    lines = section(thexp_pl("show", "@last", "--metrics", "acc"), "metrics")
    assert [line.split()[0] for line in lines[1:]] == ["acc"]
    assert list(thexp_pl.json("show", "@last", "--metrics", "acc,loss")["metrics"]) == [
        "acc",
        "loss",
    ]
    for words in ([], ["--json"], ["--csv"]):
        refusal = thexp_pl.refused("show", "@last", "--metrics", "los", *words)
        assert "no metric 'los'; did you mean 'loss'?" in refusal


def test_a_name_with_a_comma_is_one_metric(thexp_pl: Typed) -> None:
    with Experiment("./e", "a", code=False, console=False) as exp:
        exp.log_metrics(0, 0, {"acc,top5": 0.5, "loss": 1.0})
    assert list(thexp_pl.json("show", "@last", "--metrics", "acc,top5")["metrics"]) == ["acc,top5"]


def test_log_prints_the_last_lines_that_a_run_printed(thexp_pl: Typed) -> None:
    exp = record()
    assert thexp_pl("show", "@last", "--log", "2") == "Nothing of this run's console was kept.\n"
    exp.paths.console.parent.mkdir(exist_ok=True)
    exp.paths.console.write_text("one\ntwo\nthree\x1b[31m\tend")
    assert thexp_pl("show", "@last", "--log", "2") == "two\nthree\\x1b[31m      end\n"
    assert thexp_pl("show", "@last", "--log", "9").startswith("one\n")
    for count in ("0", "-1", "x"):
        assert "--log" in thexp_pl.refused("show", "@last", f"--log={count}")


def test_a_log_that_is_a_pipe_is_not_waited_for(thexp_pl: Typed) -> None:
    exp = record()
    exp.paths.console.parent.mkdir(exist_ok=True)
    os.mkfifo(exp.paths.console)
    assert "not a regular file" in thexp_pl.refused("show", "@last", "--log", "2")


def test_plot_draws_curves_with_axes(thexp_pl: Typed) -> None:
    record()
    lines = thexp_pl("show", "@last", "--plot", "loss,acc").splitlines()
    assert lines[0] == "loss"
    assert lines[1].startswith("       2.5 │")
    assert lines[8].startswith("       0.5 │")
    assert lines[10].split() == ["0", "1"]
    assert lines[11:] == ["acc", "no value is finite"]
    assert "did you mean 'loss'" in thexp_pl.refused("show", "@last", "--plot", "los")


@pytest.mark.parametrize("part", [("--plot", "loss"), ("--log", "3"), ("--follow",)])
def test_what_is_for_people_is_not_mixed_with_what_is_for_machines(
    thexp_pl: Typed, part: tuple[str, ...]
) -> None:
    record()
    assert f"{part[0]} is for people" in thexp_pl.refused("show", "@last", *part, "--json")


def test_an_unknown_key_is_one_line_with_the_near_miss(thexp_pl: Typed) -> None:
    key = record().key
    typo = key[:-1] + ("x" if key[-1] != "x" else "y")
    assert f"did you mean '{key}'" in thexp_pl.refused("show", typo)


def test_an_encoding_of_ascii_gets_curves_of_ascii(thexp_pl: Typed, own_home: Path) -> None:
    record()
    for words, curve in ((["show", "@last"], "#_"), (["show", "@last", "--plot", "loss"], "|*")):
        done = subprocess.run(
            [sys.executable, "-m", "thexp_pl", *words],
            capture_output=True,
            env=os.environ | {"THEXP_HOME": str(own_home), "PYTHONIOENCODING": "ascii"},
            timeout=180,
        )
        assert done.returncode == 0
        assert curve in done.stdout.decode("ascii")
