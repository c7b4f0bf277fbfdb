"""Hyper-parameters and configuration: values, bounds, grids, files and flags.

`BaseParams` starts empty, `Params` with what a training run has anyway. The rooms: `reading` and
`values` how they are read and written, `bounds` what may be assigned, `grid` the points of a
search, `plain` the forms that equality, hash and YAML see, `yamltext` the files, `flags` the
command line, `typed` how both are brought to a parameter's type, `base` and `params` the classes.
"""

from thexp_pl.params.base import BaseParams
from thexp_pl.params.grid import ParamsGrid
from thexp_pl.params.params import PROGRESS_NAMES, Params
from thexp_pl.params.values import ParamsGroup

__all__ = ["PROGRESS_NAMES", "BaseParams", "Params", "ParamsGrid", "ParamsGroup"]
