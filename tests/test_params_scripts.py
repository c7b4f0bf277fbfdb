"""Params in scripts of their own process: the command line, the end with code 2, the examples."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from thexp_pl import Params

SCRIPT = """
from thexp_pl import Params

class Mine(Params):
    \"\"\"Settings of mine.

    Args:
        epoch: How many rounds.
        optim.lr: The learning rate,
            of the optimizer.
    \"\"\"

    def __init__(self):
        super().__init__()
        self.arange("optim.lr", 0.1, 0, 1)
        self.choice("act", "relu", "tanh")

params = Mine().from_args()
print(params.optim.lr)
"""


def run(tmp_path: Path, *argv: str, **environment: str) -> subprocess.CompletedProcess[str]:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT, encoding="utf-8")
    return subprocess.run(
        [sys.executable, str(script), *argv],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
    )


def test_a_script_reads_its_own_command_line(tmp_path: Path):
    done = run(tmp_path, "--optim.lr=1e-2", "--actt=3")
    assert (done.returncode, done.stdout) == (0, "0.01\n")
    assert done.stderr == "warning: --actt sets a new parameter; did you mean 'act'?\n"
    assert run(tmp_path).stdout == "0.1\n"


def test_an_uncaught_misspelt_name_is_told_once_with_its_near_miss():
    code = "from thexp_pl import Params; Params().epch"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    last = done.stderr.splitlines()[-1]
    assert last.endswith("no parameter 'epch' in Params; did you mean 'epoch'?")


def test_a_mistake_ends_a_script_with_one_line_and_code_2(tmp_path: Path):
    done = run(tmp_path, "--epoch=3", "--act=tnh")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "error: act: 'tnh' is not allowed; it must be one of 'relu', 'tanh'; did you mean 'tanh'?\n"
    )
    debugged = run(tmp_path, "--act=tnh", THEXP_DEBUG="1")
    assert "Traceback" in debugged.stderr


def test_help_lists_flags_with_texts_bounds_and_defaults_and_no_progress(tmp_path: Path):
    done = run(tmp_path, "--epoch=abc", "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == (
        "Flags, as --name=value:\n\n"
        "  --epoch  (How many rounds; default: 10)\n"
        "  --device  (Where to train, as torch names it; found out when it is first read: 'cuda:0'"
        " where there is one, else 'cpu'; default: cuda:0 where there is one, else cpu)\n"
        "  --optim.lr  (The learning rate, of the optimizer; a number from 0 to 1; default: 0.1)\n"
        "  --act  (one of 'relu', 'tanh'; default: 'relu')\n"
    )


@pytest.mark.parametrize(
    ("example", "argv", "expected"),
    [
        (
            "params_basic.py",
            [],
            "Params[('epoch', 400),\n ('eidx', 1),\n ('idx', 0),\n ('global_step', 0),\n"
            " ('device', '{device}'),\n ('batch_size', 25)]\n",
        ),
        (
            "params_class.py",
            [],
            "BaseParams[('epoch', 10),\n ('eidx', 1),\n ('idx', 0),\n ('global_step', 0),\n"
            " ('device', '{device}'),\n ('batch_size', 50),\n ('topk', (1, 2, 3, 4)),\n"
            " ('optim', {{'lr': 0.009, 'moment': 0.9}})]\n",
        ),
        (
            "params_command_line.py",
            ["--epoch=400", "--optim.lr=0.01"],
            "Params[('epoch', 400),\n ('eidx', 1),\n ('idx', 0),\n ('global_step', 0),\n"
            " ('device', '{device}'),\n ('optim', {{'lr': 0.01}})]\n",
        ),
        (
            "params_command_line.py",
            [],
            "Params[('epoch', 10), ('eidx', 1), ('idx', 0), ('global_step', 0),"
            " ('device', '{device}')]\n",
        ),
    ],
)
def test_the_examples_print_what_the_readme_says(example: str, argv: list[str], expected: str):
    script = Path(__file__).parent.parent / "examples" / example
    done = subprocess.run(
        [sys.executable, str(script), *argv], capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
    expected = expected.format(device=Params().device)
    # on a machine with a GPU the longer name may wrap the line elsewhere
    assert " ".join(done.stdout.split()) == " ".join(expected.split())
    assert done.stdout == expected or Params().device != "cpu"
