"""Record a run of a plain script: its files, its key code, how it ended."""

from __future__ import annotations

from thexp_pl import Experiment, Logger, Saver

exp = Experiment("./exp")


@exp.keycode()
def train() -> None:
    logger = Logger()
    logger.add_log_dir(exp.hold_exp_part("log", [".log"]))
    save = Saver(exp.hold_exp_part("save", [".ckpt", ".pth"]))
    for i in range(10):
        for j in range(5):
            save.save_checkpoint(j, {"i": i}, {})
        logger.info(i)


exp.start_exp()
train()
print(f"the run is in {exp.path}")
