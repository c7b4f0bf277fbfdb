"""Whether an assignment that was found in a text is that of a secret."""

from __future__ import annotations

import re

from thexp_pl.record.redact.assignments import BARE_NAMES, Assignment
from thexp_pl.record.redact.ordinary import is_ordinary
from thexp_pl.record.redact.secret_names import REDACTED, is_secret_name

__all__ = ["is_secret_in_code", "is_secret_setting"]

_FILE_NAME = re.compile(r"\.(py|json|ya?ml|toml|cfg|ini|txt|csv|md|sh|log|npy|pt|ckpt)$")
_FIELD = re.compile(r"(\w+ )?\{([^{}]*\}|[\w.]+\[)")  # of an f-string
_CODE = re.compile(
    r"[A-Za-z_][\w.]*[(\[].*|(self|cls|args|cfg|conf|config|opts?|params|hparams|settings)\.[\w.]+"
)
_CODE_WORDS = frozenset(
    [
        *("str", "bytes", "int", "float", "bool", "dict", "list", "tuple", "Any", "object"),
        *("SecretStr", "return", "raise", "continue", "break", "pass", "yield", "assert", "not"),
        *("A", "An", "Either", "How", "If", "Optional", "The", "What", "Where", "Whether"),
        *("Which", "Your"),  # a docstring's ``api_key: The key of ...``
    ]
)
_MASK = frozenset("*.()[]{}")  # what is hidden or empty
_ORDINARY_PART = re.compile(r"[A-Za-z]*\d{0,5}")


def is_secret_setting(found: Assignment) -> bool:
    """Say whether an assignment in an argument or a parameter is that of a secret."""
    if found.value == REDACTED or set(found.value) <= _MASK:
        return False
    is_option = found.sign == "," and (not found.quotes or found.value.startswith("-"))
    if is_option or _FILE_NAME.search(found.name) or not is_secret_name(found.name, found.value):
        return False
    if found.quotes:
        return _FIELD.fullmatch(found.value) is None
    is_same_name = _last_part(found.value) == _last_part(found.name)
    is_code = _CODE.fullmatch(found.value) is not None or found.value in _CODE_WORDS
    return not is_same_name and not is_code


def is_secret_in_code(found: Assignment) -> bool:
    """Say whether an assignment in prose, in a log or in code is that of a secret.

    Here ``key=`` and ``token:`` alone are mostly none.
    """
    if not is_secret_setting(found):
        return False
    if found.name.lower() in BARE_NAMES and not found.before:
        is_constant = found.name.isupper() and not is_ordinary(found.value)
        return is_constant or (bool(found.quotes) and _looks_random(found.value))
    return found.sign not in (" ", "==", "!=") or bool(found.quotes) or _looks_random(found.value)


def _last_part(name: str) -> str:
    return name.rpartition(".")[2].lstrip("_").lower()


def _looks_random(value: str) -> bool:
    """Say whether a value is none that code names a column, a layer or a symbol by."""
    parts = re.split(r"[_-]", value)
    is_ordinary = all(map(_ORDINARY_PART.fullmatch, parts)) or re.search(r"[\s./]", value)
    return len(value) >= 8 and not is_ordinary
