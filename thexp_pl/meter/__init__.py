"""Meter holds what one step measured; AvgMeter averages it over many steps.

A Meter takes any value under any name and gives it back unchanged; only its printed form is
formatted. An AvgMeter sums numbers where they are: updating it never waits for a device, reading
it does. Neither imports torch or numpy.

The parts, lowest first: `values` tells kinds of value apart, `formats` writes them as text,
`meter` is Meter, `running` is the mean of one name, `device_sums` sums tensors on their device,
`average` is AvgMeter.
"""

from __future__ import annotations

from thexp_pl.meter.average import AvgMeter
from thexp_pl.meter.meter import Meter

__all__ = ["AvgMeter", "Meter"]
