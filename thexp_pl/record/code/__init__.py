"""The code of a run: a snapshot of the project, and the state of the user's own repository.

`find_project` says which folder is meant, `take_snapshot` keeps it in the root's store by git,
`copy_plainly` copies what runs where there is no git, `git_facts` asks the user's repository, and
`export_tree` writes a snapshot out again.
"""

from __future__ import annotations

from thexp_pl.record.code.export import export_tree
from thexp_pl.record.code.facts import git_facts
from thexp_pl.record.code.git import GitError, NoGitError
from thexp_pl.record.code.plain import copy_plainly
from thexp_pl.record.code.project import find_project
from thexp_pl.record.code.snapshot import restored_facts, take_snapshot

__all__ = [
    "GitError",
    "NoGitError",
    "copy_plainly",
    "export_tree",
    "find_project",
    "git_facts",
    "restored_facts",
    "take_snapshot",
]
