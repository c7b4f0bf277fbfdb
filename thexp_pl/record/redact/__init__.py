"""Keeps secrets out of a record: they are replaced before anything is written.

A name is a secret's when it holds password, passphrase, secret or credential, or has a word that
ends in key, token or pwd: ``API_KEY``, ``hf_token``, ``--db-password``, ``accessToken``. None are:
the name of an exception (``KeyError``), a number under a key or token that is a size or a count
(``max_tokens=512``, ``d_key=64``), an ordinary word under one that nothing marks as an access
(``sort_key=val_loss``, ``pad_token=<pad>``, but not ``api_key=letmein``), and the shell's ``PWD``.

A cookie, a session's id, ``creds``, ``bearer``, a DSN, a connection string and a webhook's URL are
secrets where they are texts of 6 characters or more that are no ordinary words.

Some secrets show by their shape, under any name and in any text: access tokens such as
``ghp_...``, private keys in PEM, passwords and signatures in URLs, headers such as ``Bearer ...``.
And what was found once is known, and found again wherever it turns up.
"""

from thexp_pl.record.redact.redactor import Redactor
from thexp_pl.record.redact.secret_names import REDACTED, is_secret_name

__all__ = ["REDACTED", "Redactor", "is_secret_name"]
