"""Of a notebook the cells that ran are kept, not the file that was saved before."""

from __future__ import annotations

import json
from pathlib import Path

from record_code_helpers import restored, run_script, write

# A shell that answers as IPython's does; `In[0]` is always empty there.
SHELL = """
import json, sys, types
from pathlib import Path
shell = types.SimpleNamespace(user_ns={"In": json.loads(sys.argv[2])})
sys.modules["IPython"] = types.ModuleType("IPython")
sys.modules["IPython"].get_ipython = lambda: shell
from thexp_pl.record.code import copy_plainly, find_project, take_snapshot
def redact(text):
    return text.replace("hunter2", "<redacted>")
root, project = Path(sys.argv[1]), find_project()
print(json.dumps(take_snapshot(project, root, redact=redact)))
print(json.dumps(copy_plainly(root / "code", project, root, redact=redact)))
"""
CELLS = ["", "import torch", "", "key = 'hunter2'\n%time\n", "数 = '\ud800'"]
TEXT = (
    "# %% In [1]\nimport torch\n\n# %% In [3]\nkey = '<redacted>'\n%time\n\n"
    "# %% In [4]\n数 = '\\ud800'\n"
)


def test_the_cells_that_ran_are_one_file_without_secrets(tmp_path: Path) -> None:
    write(tmp_path, {"p/study.ipynb": "{}", "p/helper.py": ""})
    told = run_script(
        Path(), "-c", SHELL, str(tmp_path), json.dumps(CELLS), cwd=tmp_path / "p"
    ).splitlines()
    taken, copied = map(json.loads, told)
    found = restored(tmp_path, taken)
    assert set(found) == {b"study.ipynb", b"helper.py", b"notebook_cells.py"}
    assert found[b"notebook_cells.py"][1].decode() == TEXT
    assert taken["entry"] == copied["entry"] == "notebook_cells.py"
    assert (tmp_path / "code" / "notebook_cells.py").read_text() == TEXT
    assert copied["files"] == 1


def test_the_cells_take_no_name_that_the_project_has(tmp_path: Path) -> None:
    write(tmp_path, {"p/Notebook_Cells.py": "kept", "p/notebook_cells_1.py/x.py": ""})
    told = run_script(Path(), "-c", SHELL, str(tmp_path), json.dumps(CELLS), cwd=tmp_path / "p")
    facts = json.loads(told.splitlines()[0])
    assert facts["entry"] == "notebook_cells_2.py"
    assert restored(tmp_path, facts)[b"Notebook_Cells.py"][1] == b"kept"


def test_a_script_under_ipython_has_no_cells(tmp_path: Path) -> None:
    write(tmp_path, {"p/train.py": SHELL})
    for cells in ([""], [], None, {"1": "x"}):
        told = run_script(tmp_path / "p" / "train.py", str(tmp_path), json.dumps(cells))
        facts = json.loads(told.splitlines()[0])
        assert (facts["entry"], facts["files"]) == ("train.py", 1)
        for path in sorted((tmp_path / "code").rglob("*"), reverse=True):
            path.unlink()
        (tmp_path / "code").rmdir()
