"""Sweeps on Ray: one actor an attempt, on a Ray of this machine or on a cluster.

`connecting` comes to a cluster, `engine` hands attempts over and learns of their ends, `worker` is
what runs on the other side, `lifeline` and `holding` the process there that ends with its worker.
Where the experiment root is not to be seen on a worker, `sending` brings the sweep there and
`homing` its runs home.
"""

from __future__ import annotations

from thexp_pl.sweeps.engines.ray.engine import RayEngine

__all__ = ["RayEngine"]
