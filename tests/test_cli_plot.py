"""`thexp-pl plot`, as it is typed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
from figure_helpers import record, record_values
from plot_helpers import refused, typed

TEXT = "{http://www.w3.org/2000/svg}text"


def record_all() -> list[str]:
    keys = []
    for lr, seed in ((1, 0), (1, 1), (2, 0), (2, 1)):
        values = [(n, 0, {"loss": 1 / (n + 1 + seed), "acc": lr * n}) for n in range(5)]
        keys.append(record(values, lr=lr, seed=seed))
    return keys


def texts(path: str) -> list[str]:
    tree = ElementTree.parse(path)
    return ["".join(node.itertext()) for node in tree.iter(TEXT)]


def test_the_line_of_the_issue_draws_groups_with_their_names(
    capsys: pytest.CaptureFixture[str],
) -> None:
    keys = record_all()
    words = ["--tags", "loss,acc", "--smooth", "0.6", "--by", "params.lr"]
    out, err = typed(capsys, *keys[:3], *words, "-o", "fig.svg", "-o", "fig.pdf")
    assert (out, err) == ("fig.svg\nfig.pdf\n", "")
    assert Path("fig.pdf").read_bytes().startswith(b"%PDF-")
    assert {"loss", "acc", "step", "lr=1 (n=2)", "lr=2 (n=1)"} <= set(texts("fig.svg"))


def test_a_parameter_in_a_group_is_named_by_its_path(capsys: pytest.CaptureFixture[str]) -> None:
    for lr, seed in ((0.1, 0), (0.1, 1), (0.01, 0)):
        record_values([1.0, 2.0, float(seed)], optim={"lr": lr, "name": "adam"}, seed=seed)
    typed(capsys, "--by", "params.optim.lr", "-o", "a.svg")
    assert {"lr=0.1 (n=2)", "lr=0.01 (n=1)"} <= set(texts("a.svg"))


def test_a_query_chooses_and_each_flag_reaches_the_figure(
    capsys: pytest.CaptureFixture[str],
) -> None:
    record_all()
    look = ["--width", "5", "--height", "4", "--title", "$ a title", "--log_y", "--x", "epoch"]
    typed(capsys, "params.lr == 1", "--tags", "l*", *look, "-o", "a.svg")
    found = texts("a.svg")
    assert {"seed=0", "seed=1", "$ a title", "epoch", "loss"} <= set(found)
    assert not {"acc", "step"} & set(found)
    root = ElementTree.parse("a.svg").getroot()
    assert (root.get("width"), root.get("height")) == ("360pt", "288pt")


def test_the_rest_of_the_flags_reach_it_too(capsys: pytest.CaptureFixture[str]) -> None:
    for trial in range(2):
        record_values([1.0, 2.0, float(trial)], trial=trial)
    common = ["--by", "all-but-seed", "--seed", "trial", "--mix", "--log_x"]
    written = set()
    for band in ("std", "ci", "minmax", "none"):
        _, err = typed(capsys, *common, "--band", band, "-o", f"{band}.svg")
        assert "1 of its points" in err
        written.add(Path(f"{band}.svg").read_bytes())
    assert len(written) == 4


def test_json_has_the_files_and_what_is_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    record([(0, 0, {"loss": 1.0, "acc": 1.0})])
    key = record_values([1.0])
    out, err = typed(capsys, "-o", "a.png", "--json")
    found = json.loads(out)
    assert found["files"] == [{"file": "a.png", "bytes": Path("a.png").stat().st_size}]
    assert found["remarks"] == [f"'acc': left out, for they have none: {key}"]
    assert err == f"note: {found['remarks'][0]}\n"


def test_what_cannot_be_drawn_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert "`thexp-pl fit` records one" in refused(capsys, "-o", "a.png")
    (key, *_) = record_all()
    Path("there.png").write_text("mine")
    for words, message in (
        (["-o", "a.pgn"], "did you mean '.png'?"),
        (["-o", "there.png"], "there is a 'there.png' already: remove it, or name another file"),
        (["-o", "nowhere/a.png"], "cannot write 'nowhere/a.png': No such file or directory"),
        (["-o", "a.png", "--tags", "los"], "did you mean 'loss'?"),
        (["-o", "a.png", "--tags", ","], "',' names nothing"),
        (["-o", "a.png", "--by", "lrr"], "did you mean 'lr'?"),
        (["-o", "a.png", "--smooth", "1"], "smooth is 1.0: give a weight from 0 to below 1"),
        (["-o", "a.png", "--smooth", "x"], "'x' is no weight: give one from 0 to below 1"),
        (["-o", "a.png", "--band", "sd"], "did you mean 'std'?"),
        (["-o", "a.png", "--width", "tripel"], "the width 'tripel' is no number of inches"),
        (["-o", "a.png", "params.lr > 5"], "no run matches"),
        (["-o", "a.png", f"{key}x"], f"did you mean {key!r}?"),
        (["-o", "a.png", "--exps_dir", "nowhere"], "nowhere"),
    ):
        said = refused(capsys, *words)
        assert message in said
        assert said.count("\n") == 1, said
    assert "-o" in refused(capsys)  # argparse names what is missing
    assert Path("there.png").read_text() == "mine"


def test_hostile_names_reach_no_terminal_raw(capsys: pytest.CaptureFixture[str]) -> None:
    record_values([1.0, float("nan")], tag="a\x1b[31m", lr=1, seed=0)
    record_values([1.0, 2.0], tag="a\x1b[31m", lr=1, seed=1)
    out, err = typed(capsys, "-o", "x.svg", "--by", "params.lr")
    assert "\x1b" not in out + err
    assert "is not finite" in err
    assert "a\\x1b[31m" in texts("x.svg")


def test_without_matplotlib_it_says_which_extra_brings_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    record_all()
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    said = refused(capsys, "-o", "a.png")
    assert "a figure needs the package matplotlib" in said
    assert "thexp-pl[report]" in said


def test_the_installed_command_draws_without_torch() -> None:
    record_all()
    code = (
        "import sys; from thexp_pl.cli.main import main; main(sys.argv[1:]);"
        "sys.exit(bool({'torch', 'matplotlib.pyplot'} & sys.modules.keys()))"
    )
    words = ["plot", "--exps_dir", "experiment", "-o", "a.png"]
    done = subprocess.run(
        [sys.executable, "-c", code, *words],
        env={**os.environ, "MPLBACKEND": "TkAgg", "DISPLAY": ""},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "a.png\n", "")
