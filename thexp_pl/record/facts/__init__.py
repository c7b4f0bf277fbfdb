"""What a run's manifest tells of where it ran: machine, variables, packages, random states, data.

Each function here gathers one part when a run starts. Together they take about 30 ms on a machine
whose files are in memory; nothing is imported or initialised that the script did not use by itself.
"""

from __future__ import annotations

from thexp_pl.record.facts.environment import environment_facts
from thexp_pl.record.facts.inputs import Inputs
from thexp_pl.record.facts.machine import machine_facts
from thexp_pl.record.facts.packages import package_facts
from thexp_pl.record.facts.randomness import begin_with, random_facts

__all__ = [
    "Inputs",
    "begin_with",
    "environment_facts",
    "machine_facts",
    "package_facts",
    "random_facts",
]
