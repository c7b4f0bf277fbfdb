"""Three lines record a plain Lightning script, and without them its checkpoints still open."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

EXAMPLE = Path(__file__).parents[1] / "examples" / "existing_trainer.py"
MARK = "# new"

# goes on with a checkpoint where nothing of thexp_pl can be imported
WITHOUT = """
import sys

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "thexp_pl":
            raise ImportError("not installed here")

sys.meta_path.insert(0, Refuse())
import runpy
import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader

checkpoint, weights = sys.argv[1:]
script = runpy.run_path("plain.py")
module = script["LitModel"].load_from_checkpoint(checkpoint)
final = torch.load(weights, weights_only=True)["state_dict"]
assert all(torch.equal(value, final[name]) for name, value in module.state_dict().items())
assert module.hparams == {"hidden": 32, "lr": 0.1}
trainer = pl.Trainer(
    max_epochs=4, enable_progress_bar=False, enable_checkpointing=False, logger=False
)
trainer.fit(module, DataLoader(script["two_rings"](), 50), ckpt_path=checkpoint)
assert (trainer.current_epoch, trainer.global_step) == (4, 75 + 20), trainer.global_step
assert not any(name.startswith("thexp_pl") for name in sys.modules)
"""


def run(folder: Path, *command: str) -> None:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}
    done = subprocess.run(
        [sys.executable, *command],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr


def test_three_lines_record_a_script_and_its_checkpoints_open_without_them(tmp_path: Path) -> None:
    lines = EXAMPLE.read_text().splitlines(keepends=True)
    plain = [line for line in lines if MARK not in line]
    assert len(lines) - len(plain) == 3
    assert "thexp_pl" not in "".join(plain)
    (tmp_path / "plain.py").write_text("".join(plain))

    run(tmp_path, str(EXAMPLE))

    (manifest,) = tmp_path.glob("experiment/existing/*/run.json")
    assert json.loads(manifest.read_text())["params"] == {"hidden": 32, "lr": 0.1}
    modules = manifest.parent / "modules"
    checkpoint, weights = modules / "0000003.ckpt", modules / "model.0000003.pth"
    run(tmp_path, "-c", WITHOUT, str(checkpoint), str(weights))
