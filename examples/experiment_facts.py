"""What else a run can be told: its data, parameters, metrics, notes; and who hears of its files."""

from __future__ import annotations

from pathlib import Path

from thexp_pl import Experiment, ExperimentViewer

data = Path("numbers.csv")
data.write_text("1\n2\n3\n")

with Experiment("./exp", "sums") as exp:
    exp.params = {"start": 10}
    exp.add_event_listener(lambda path, mode: print(f"{mode}: {path.name}"), [".txt"])
    part = exp.hold_exp_part("results", [".txt"])
    total = exp.params["start"]
    for step, line in enumerate(exp.uses(data).read_text().split()):  # its size and hash are kept
        total += int(line)
        exp.log_metrics(step, 0, {"total": total})
    (part / "total.txt").write_text(str(total))
    exp.note("the numbers of the first week")
    exp.tag("checked")

info = ExperimentViewer(["./exp"]).exp_info(exp.key)
print(info["status"], info["metrics"]["total"]["last"], info["uses"][0]["sha256"][:12])
print(f"{info['code']['files']} files of code, on {info['cpu']['model']}, {info['python']}")
