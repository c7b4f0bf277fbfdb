"""A team's index: what each machine's index tells of its runs, kept on a PostgreSQL server.

``THEXP_INDEX=postgresql://user:password@host/database`` names the server. No query
goes there: each machine tells the runs of the roots that it can read, learns those of all others,
and asks its own copy (`thexp_pl.runs.index.store`), so that a query means the same runs with a
server as without. `address` says where the server is, `tables` what lies there, `identity` which
root is which, `telling` and `learning` are the two ways, `meeting` is both of them.
"""

from __future__ import annotations

from thexp_pl.runs.index.team.team import Team

__all__ = ["Team"]
