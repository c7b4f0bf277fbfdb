"""TensorBoard's event files read back, and drawn for a paper."""

from thexp_pl.report.board.board_plotter import BoardPlotter
from thexp_pl.report.board.plotter import Plotter
from thexp_pl.report.board.values import Curve, Histogram, Picture, Text

__all__ = ["BoardPlotter", "Curve", "Histogram", "Picture", "Plotter", "Text"]
