"""Secrets that show by their shape alone: access tokens, private keys, URLs, headers."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable
from urllib.parse import unquote

from thexp_pl.record.redact.secret_names import REDACTED, is_secret_name

__all__ = ["KEY_ENDS", "KEY_LINE", "ends_in_key", "without_headers", "without_keys", "without_urls"]

# Marks are looked for first, as a search for a fixed text costs a hundredth of that for a pattern.
# Where a pattern can run on, what it runs over holds no second beginning: the time is linear.
_MARKS = (
    *("sk-", "sk_live_", "sk_test_", "rk_live_", "ghp_", "gho_", "ghu_", "ghs_", "ghr_"),
    *("github_pat_", "glpat-", "hf_", "AKIA", "ASIA", "AIza", "ya29.", "xox", "xapp-", "npm_"),
    *("pypi-", "eyJ", "hooks.slack.com"),
)
_TOKEN = re.compile(
    r"""(?<![A-Za-z0-9_-])(?:
      sk-(?:[A-Za-z]{2,10}[0-9]{0,2}-){0,2}(?=[A-Za-z_-]{0,40}[0-9])[A-Za-z0-9_]{16,}[A-Za-z0-9_-]*
    | [sr]k_(?:live|test)_[A-Za-z0-9]{16,}
    | gh[oprsu]_[A-Za-z0-9]{16,}
    | github_pat_[A-Za-z0-9_]{20,}
    | glpat-[A-Za-z0-9_-]{16,}
    | hf_(?=[a-z]{0,40}[A-Z0-9])[A-Za-z0-9]{20,}
    | (?:AKIA|ASIA)[A-Z0-9]{16}(?![A-Za-z0-9])
    | AIza[A-Za-z0-9_-]{35}
    | ya29\.[A-Za-z0-9_-]{20,}
    | xox[abceoprs]-[A-Za-z0-9-]{10,}
    | xapp-[A-Za-z0-9-]{16,}
    | npm_[A-Za-z0-9]{36}
    | pypi-AgE[A-Za-z0-9_-]{40,}
    | eyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*){0,3}
    | hooks\.slack\.com/services/[A-Za-z0-9/]{16,}
    )""",
    re.VERBOSE,
)
_KEY_BEGINS = re.compile(r"-----BEGIN (?:[A-Z0-9]{1,20} ){0,4}PRIVATE KEY(?: BLOCK)?-----")
KEY_ENDS = re.compile(r"-----END [A-Z0-9 ]{1,60}-----")
_KEY_FACT = r"(?:Proc-Type|DEK-Info|Version|Comment): [^\n]{0,100}"
_TORN_KEY = re.compile(rf"(?:(?:\s|\\[nr])*(?:[A-Za-z0-9+/=]{{16,}}|{_KEY_FACT}))*")
KEY_LINE = re.compile(rf"[A-Za-z0-9+/=]*|{_KEY_FACT}")
_USERINFO = re.compile(
    r"""://(?P<userinfo>(?:[^/\s?\#"'<>]|<redacted>)*
    |[^\s/:@"'<>\[]{0,100}:(?!\d{1,5}/)[^\s@"'<>]{1,300}@*)@""",
    re.VERBOSE,
)
_QUERY = re.compile(r"""(?P<head>[?&;#](?P<name>[\w.-]{1,60})=)(?P<value>[^&;\s"'<>#]+)""")
_SIGNATURES = frozenset(["sig", "signature", "x-amz-signature", "x-goog-signature", "auth"])
_SIGNED = re.compile(r"(?P<head>\bSignature=)[0-9A-Fa-f]{32,}")
_BEARER = re.compile(r"(?P<head>\bbearer[ \t]+)(?P<value>[\w.~+/-]{8,}=*)", re.IGNORECASE)
_BASIC = re.compile(r"(?P<head>\bbasic[ \t]+)(?P<value>[A-Za-z0-9+/]{8,}={0,2})", re.IGNORECASE)


def without_keys(text: str) -> str:
    """Replace access tokens of well-known forms, and private keys in PEM, whole or torn.

    Args:
        text: Any text.

    Returns:
        The text without them.
    """
    if "PRIVATE KEY" in text:
        text = _without_private_keys(text)
    for mark in _MARKS:
        if mark in text:
            return _TOKEN.sub(REDACTED, text)
    return text


def ends_in_key(text: str) -> bool:
    """Say whether a private key begins in a text and does not end in it."""
    begins = [found.end() for found in _KEY_BEGINS.finditer(text)]
    return bool(begins) and KEY_ENDS.search(text, begins[-1]) is None


def without_urls(text: str, learn: Callable[[str], None]) -> str:
    """Replace user names and passwords in URLs, and secrets and signatures in their queries.

    Args:
        text: Any text.
        learn: Told what was replaced.

    Returns:
        The text without them.
    """

    def without_user(found: re.Match[str]) -> str:
        userinfo = found["userinfo"]
        user, _, password = userinfo.partition(":")
        if not password and text.endswith(("ssh", "sftp"), 0, found.start()):
            return found[0]  # git@github.com
        learn(unquote(password or user))
        learn(password or user)
        return f"://{REDACTED}@"

    def without_value(found: re.Match[str]) -> str:
        name, value = found["name"], found["value"]
        is_signature = name.lower() in _SIGNATURES and any(map(str.isalnum, value))
        if not is_signature and not is_secret_name(name, value):
            return found[0]
        learn(unquote(value))
        return f"{found['head']}{REDACTED}"

    if "://" in text:
        text = _USERINFO.sub(without_user, text)
    if "=" in text and ("?" in text or "&" in text or "#" in text):
        text = _QUERY.sub(without_value, text)
    return text


def without_headers(text: str, learn: Callable[[str], None]) -> str:
    """Replace what follows ``Bearer`` and ``Basic``, and signatures of requests.

    Args:
        text: Any text.
        learn: Told what was replaced.

    Returns:
        The text without them.
    """

    def without_value(found: re.Match[str]) -> str:
        value = found["value"]
        if not (_is_basic(value) if found.re is _BASIC else _is_bearer(value)):
            return found[0]
        learn(value)
        return f"{found['head']}{REDACTED}"

    lowered = text.lower()
    if "bearer" in lowered:
        text = _BEARER.sub(without_value, text)
    if "basic" in lowered:
        text = _BASIC.sub(without_value, text)
    return _SIGNED.sub(rf"\g<head>{REDACTED}", text) if "Signature=" in text else text


def _is_bearer(value: str) -> bool:
    return len(value) >= 20 or any(map(str.isdigit, value))


def _is_basic(value: str) -> bool:
    try:
        return b":" in base64.b64decode(value + "=" * (-len(value) % 4), validate=True)
    except binascii.Error:
        return False


def _without_private_keys(text: str) -> str:
    pieces, done = [], 0
    for begin in _KEY_BEGINS.finditer(text):
        if begin.start() < done:
            continue
        dashes = text.find("-----", begin.end())
        end = KEY_ENDS.match(text, dashes) if dashes >= 0 else None
        last = end or _TORN_KEY.match(text, begin.end()) or begin
        pieces += [text[done : begin.start()], REDACTED]
        done = last.end()
    return "".join([*pieces, text[done:]])
