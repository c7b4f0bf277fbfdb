"""How the processes of a sweep come to a class that Python code names, and what they import."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

from thexp_pl.cli.sweep_words import placed_file
from thexp_pl.errors import UsageError
from thexp_pl.params.plain import shown
from thexp_pl.record.code import find_project

__all__ = ["class_word"]


def class_word(trainer_class: Any) -> str:
    """Name a class so that another process can import it.

    Args:
        trainer_class: A facade Trainer.

    Returns:
        What ``--trainer_class`` takes.

    Raises:
        UsageError: It is no such class, or no other process can import it, or importing it would
            start the sweep again.
    """
    name = getattr(trainer_class, "__qualname__", repr(trainer_class))
    if not isinstance(trainer_class, type) or not hasattr(trainer_class, "params_class"):
        raise UsageError(f"sweep trains a thexp_pl.Trainer subclass, not {shown(trainer_class)}")
    if not name.isidentifier():
        raise UsageError(
            f"the runs of a sweep cannot import {name}: define it at the top of a module"
        )
    module = sys.modules.get(trainer_class.__module__)
    spec, file = getattr(module, "__spec__", None), getattr(module, "__file__", None)
    is_script = trainer_class.__module__ == "__main__"
    if is_script and spec is None and not (file or "").endswith(".py"):
        raise UsageError(
            f"the runs of a sweep cannot import {name} from a prompt or a notebook: write it into"
            " a module, and import it here"
        )
    if is_script:
        _check_guard(name, Path(str(file)))
    if is_script and spec is not None:  # python -m package.module
        return f"{spec.name}:{name}"
    project = find_project()
    is_in_project = project is not None and file and Path(file).resolve().is_relative_to(project)
    if "." in trainer_class.__module__ or not is_in_project:
        return f"{trainer_class.__module__}:{name}"
    return f"{placed_file(str(file), project)}:{name}"


def _check_guard(name: str, script: Path) -> None:
    """See that importing the script makes the class, and does not come to the sweep once more."""
    try:
        guarded = list(_guarded(ast.parse(script.read_bytes())))
    except (OSError, ValueError, SyntaxError):  # it has changed since: its runs will tell
        return
    inner = [one for block in guarded for one in block.body]
    if any(isinstance(one, ast.ClassDef) and one.name == name for one in inner):
        raise UsageError(
            f"the runs of a sweep cannot import {name}, which is defined below `if __name__ =="
            ' "__main__":`; define it above'
        )
    line = _line_of_call()
    lines = [range(one.lineno, (one.end_lineno or one.lineno) + 1) for one in inner]
    if line is not None and not any(line in one for one in lines):
        raise UsageError(
            f"the runs of a sweep import {script.name}, and would begin the sweep of its line"
            f' {line} once more: call it below `if __name__ == "__main__":`'
        )


def _guarded(tree: ast.Module) -> Iterator[ast.If]:
    """Give the blocks at the top that only a script runs, and no import."""
    for one in tree.body:
        names = ast.walk(one.test) if isinstance(one, ast.If) else ()
        if any(isinstance(each, ast.Name) and each.id == "__name__" for each in names):
            assert isinstance(one, ast.If)
            yield one


def _line_of_call() -> int | None:
    """Give the line at the top of the script that has led here."""
    frame: FrameType | None = sys._getframe()
    while frame is not None:
        if frame.f_code.co_name == "<module>" and frame.f_globals.get("__name__") == "__main__":
            return frame.f_lineno
        frame = frame.f_back
    return None
