"""A report of what a script gives it: scalars, figures and files, as Markdown with pictures."""

import numpy as np
from matplotlib.figure import Figure

from thexp_pl import Experiment, Reporter

with Experiment("./exp", "reporter") as exp:
    reporter = Reporter(exp)  # or a folder: Reporter("./plots")
    reporter.add_tag("a first try")
    for step in range(100):
        reporter.add_scalar(1 / (step + 1), step, "loss")
        if step % 50 == 0:
            reporter.savearr(np.full((8, 8), step / 100), "what it sees", step)

    figure = Figure(figsize=(4, 3))
    figure.add_subplot().bar(["cat", "dog"], [0.9, 0.7])
    reporter.add_figure(figure, "accuracy by class")
    reporter.add_ftag(exp.path / "run.json", "the manifest")

    reporter.savearr()  # all values, as scalars.csv
    print(reporter.report(every=20, otherinfo={"lr": 0.1}))
