"""`globs`: variables that outlive a script, such as where the data sets are.

Two levels, as git has them: those of the project (``local``) come before those of the user
(``global``). The user's are in ``config.json`` of thexp's home (``THEXP_HOME``, by default
``~/.thexp``); the project's in ``.thexp/config.json`` of the nearest folder at or above the working
directory that has this file. It is the file that makes a project: an experiment root has a
``.thexp`` too but no ``config.json`` in it, and thexp's own home is passed over.
"""

from __future__ import annotations

from thexp_pl.globvars.levels import Globs, globs
from thexp_pl.globvars.places import CONFIG_FILE, MARK_FOLDER, find_project, thexp_home

__all__ = ["CONFIG_FILE", "MARK_FOLDER", "Globs", "find_project", "globs", "thexp_home"]
