"""Variables that outlive a script: those of the project come before those of the user."""

from __future__ import annotations

from thexp_pl import globs

globs.init()  # as `thexp-pl init`: makes this folder a project

globs.update("local", "datasets", "/path/to/all/datasets")
globs.update("local", "a", 1)

print(globs["datasets"])
print(globs.a)
print(globs.list_config(globa=True, local=True))
print(globs.glob_fn)
print(globs.local_fn)
