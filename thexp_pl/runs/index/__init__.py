"""The index of all runs: a SQLite file in the user's home, made of the runs' own files.

It is a cache: what it says is what the files say, and it may be deleted at any time. `schema` says
what is in it, `store` where it is and who may write it, `looking` what has changed since,
`entries` what is kept of a run, `writing` how that gets in.
"""

from __future__ import annotations

from thexp_pl.runs.index.index import Index

__all__ = ["Index"]
