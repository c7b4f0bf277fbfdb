"""Which names are a secret's, and what under such a name is none all the same."""

from __future__ import annotations

import re
from collections.abc import Mapping

from thexp_pl.record.redact.ordinary import REDACTED, is_ordinary

__all__ = ["ACCESS", "MARKS", "REDACTED", "is_secret_name"]

ACCESS = frozenset(
    [
        *("access", "account", "api", "app", "auth", "aws", "azure", "bearer", "bot", "client"),
        *("consumer", "deploy", "encryption", "gcp", "gh", "git", "github", "gitlab", "hf", "hub"),
        *("huggingface", "jwt", "license", "login", "master", "openai", "private", "refresh"),
        *("service", "session", "signing", "slack", "ssh", "storage", "user", "wandb", "webhook"),
    ]
)
MARKS = (
    *("key", "token", "pwd", "pass", "secret", "credential", "authorization"),
    *("cookie", "creds", "bearer", "session", "dsn", "conn", "webhook"),
)
_HINT = re.compile("|".join(MARKS), re.IGNORECASE)
_ALWAYS = re.compile(
    r"passw(or)?d|pass[_-]?phrase|secret(?!ar[iy])|credential|(?<![a-z])authorization$",
    re.IGNORECASE,
)
# Secrets where they are texts that are no words: `cookie=oatmeal` and `session_id=3` are none.
_OF_TEXTS = re.compile(
    r"(?:.*_)?(?:cookies?|creds|bearer|session_?id|dsn|conn(?:ection)?_str(?:ing)?|webhook_url)"
)
_MIN_TEXT = 6
# `monkey` ends in key too: only these words make one with it
_KEY_WORD = re.compile(rf"(.*(token|pwd)|({'|'.join(sorted(ACCESS))}|my|pass)?key)s?")
_PASS = re.compile(r"[a-z0-9][_-]pass$", re.IGNORECASE)  # DB_PASS
_FOLDERS = frozenset(["PWD", "OLDPWD"])
_EXCEPTIONS = ("Error", "Exception", "Warning")  # a traceback's ``KeyError: 'lr'``
_MEASURES = frozenset(
    [
        *("batch", "bias", "budget", "count", "dim", "dims", "dropout", "embed", "embedding"),
        *("embeddings", "frames", "heads", "hidden", "id", "ids", "idx", "index", "interval"),
        *("layer", "layers", "len", "length", "limit", "mask", "max", "min", "n", "norm", "num"),
        *("padding", "per", "proj", "rate", "scale", "seen", "size", "step", "steps", "total"),
        *("type", "types", "vocab", "width"),
    ]
)
_NOTHING = frozenset(["none", "null", "true", "false", "...", "~"])
_PLACEHOLDER = re.compile(
    r"\$\{[\w.:/]+\}|\{[\w.]+\}"
)  # of a configuration; what it stands for is elsewhere
_WORD = re.compile(r"[A-Za-z]+([_./-]+[A-Za-z]+)*|<[/|]?[A-Za-z_]+[/|]?>|\[[A-Za-z_]+\]")
_NUMBER = re.compile(r"[\d.e+_\-]+[%KMBGTkmbgt]?")
_TINY = re.compile(r"[\d.]{1,3}")
_SMALL = re.compile(r"[\d.e+\-]{1,6}")
_WORD_BORDER = re.compile(r"[^0-9A-Za-z]+|(?<=[a-z0-9])(?=[A-Z])")
_BETWEEN = re.compile(r"[\s\[\](){},:\"']+")
_MAX_GROUP = 500  # characters; what is longer is not looked through


def is_secret_name(name: str, value: object = "") -> bool:
    """Say whether what goes by a name is to be kept out of the record.

    Args:
        name: The name of a parameter, an argument or an environment variable.
        value: What it holds; a number, a word, None or a bool may clear a name that only looks
            like a secret's.

    Returns:
        Whether it is a secret.

    >>> is_secret_name("WANDB_API_KEY"), is_secret_name("tokenizer")
    (True, False)
    >>> is_secret_name("max_tokens", 512), is_secret_name("api_token", 512)
    (False, True)
    >>> is_secret_name("sort_key", "val_loss"), is_secret_name("api_key", "val_loss")
    (False, True)
    >>> is_secret_name("session_id", 3), is_secret_name("session_id", "k3f9-a81x")
    (False, True)
    """
    if _HINT.search(name) is None:
        return False
    words = [word.lower() for word in _WORD_BORDER.split(name) if word]
    is_always = _ALWAYS.search(name) is not None
    if _OF_TEXTS.fullmatch("_".join(words)) and not is_always:
        return not _is_code(value) and _holds_a_secret_text(value)
    if not is_always and not _PASS.search(name) and not any(map(_KEY_WORD.fullmatch, words)):
        return False
    text = str(value).strip("\"'")
    if name.endswith(_EXCEPTIONS) or name in _FOLDERS or _is_code(text) or text.lower() in _NOTHING:
        return False
    if is_always:
        return True
    if _NUMBER.fullmatch(text) and not _MEASURES.isdisjoint(words):
        return False
    return not ACCESS.isdisjoint(words) or not _is_cleared(name, text, value)


def _is_code(value: object) -> bool:
    text = str(value).strip("\"'")
    return text.startswith("lambda") or _PLACEHOLDER.fullmatch(text) is not None


def _holds_a_secret_text(value: object) -> bool:
    if value == "":  # it is not known yet
        return True
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, list | tuple):
        return any(item != "" and _holds_a_secret_text(item) for item in value)
    text = value.strip("\"'") if isinstance(value, str) else ""
    if text[:1] in ("[", "{", "(") and len(text) <= _MAX_GROUP:
        return any(map(_is_secret_text, _BETWEEN.split(text)))
    return _is_secret_text(text)


def _is_secret_text(text: str) -> bool:
    is_number = _NUMBER.fullmatch(text) is not None
    return len(text) >= _MIN_TEXT and not is_number and not is_ordinary(text)


def _is_cleared(name: str, text: str, value: object) -> bool:
    """Say whether a value marks its name as that of a column, a symbol or a count."""
    words = [word.lower() for word in _WORD_BORDER.split(name.rpartition(".")[2]) if word]
    last = words[-1] if words else ""
    if _TINY.fullmatch(text):
        return True
    if last in ("keys", "tokens") and (_NUMBER.fullmatch(text) or _holds_words(text, value)):
        return True
    is_plain = len(words) > 1 and last.removesuffix("s") in ("key", "token", "pas")
    is_measure = not _MEASURES.isdisjoint(words)
    return (is_plain or is_measure) and (_is_plain_leaf(text) or _holds_words(text, value))


def _holds_words(text: str, value: object) -> bool:
    if not isinstance(value, list | tuple | Mapping) and text[:1] not in ("[", "{", "("):
        return False
    leaves = _BETWEEN.split(text) if len(text) <= _MAX_GROUP else ["…"]
    return all(not leaf or _is_plain_leaf(leaf) or leaf.lower() in _NOTHING for leaf in leaves)


def _is_plain_leaf(text: str) -> bool:
    return _WORD.fullmatch(text) is not None or _SMALL.fullmatch(text) is not None
