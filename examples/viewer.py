"""Look at recorded runs: which there were, what they left, what they ran."""

from __future__ import annotations

import pprint as pp
from datetime import timedelta

from thexp_pl import Experiment, ExperimentViewer


def train(exp: Experiment) -> None:
    (exp.hold_exp_part("save", [".ckpt"]) / "0.ckpt").write_bytes(b"weights")
    exp.log_metrics(0, 0, {"loss": 0.5})


with Experiment("./exp", "viewer") as exp:  # a run to look at
    exp.keycode(train)
    train(exp)

expview = ExperimentViewer()
pp.pprint(expview.list())
pp.pprint(expview.recent(timedeltaobj=timedelta(minutes=20)))
pp.pprint(expview.backtracking("ckpt"))
pp.pprint(expview.exp_code(exp.key))  # a key of the list()
pp.pprint(expview.exp_info("@last"))  # or the run that started last
pp.pprint(expview.query("metrics.loss.min < 0.6 and status == 'finished'"))
for row in expview.rows("experiment == 'viewer'", sort="metrics.loss"):
    pp.pprint((row.key, row.metrics["loss"]["last"]))
