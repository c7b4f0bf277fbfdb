"""Which files are code: by their names alone, as bytes below the project."""

from __future__ import annotations

import re

__all__ = [
    "CACHE",
    "DATA",
    "NO_GIT_NAME",
    "SECRET",
    "cache_of",
    "is_data",
    "is_source",
    "unfit",
]

SECRET = "may hold secrets"
CACHE = "a cache, or the record of another tool"
DATA = "files in it that are data or output by their names"
NO_GIT_NAME = "git keeps no file of that name"

_SHOWN = rb"(?:example|sample|template|dist|defaults?)"
_SECRET = re.compile(
    rb"(?:^|/)(?:"
    rb"\.env(?:rc)?(?:\.(?!" + _SHOWN + rb"$)[^/]*)?"
    rb"|(?!" + _SHOWN + rb"\.)[^/]+\.env"
    rb"|[^/]+\.(?:pem|key|p12|pfx|jks|keystore|kdbx|ppk)"
    rb"|id_(?:rsa|dsa|ecdsa|ed25519)[^/]*"
    rb"|[._]netrc|\.(?:pypirc|npmrc|pgpass|git-credentials|htpasswd|dockercfg|s3cfg|boto|my\.cnf)"
    rb"|\.?credentials[^/]*|kaggle\.json"
    rb"|(?:client[_-]?secrets?|service[_-]?account)[^/]*\.json"
    rb"|\.?secrets?(?:\.(?:ya?ml|json|toml|ini|cfg|conf|txt))?"
    rb"|\.?(?:(?:access|api|auth|gh|github|gitlab|hf|openai|vault|wandb)[_-])?"
    rb"(?:token|api_?keys?|passwords?)(?:\.txt)?"
    rb"|\.kube/config|\.docker/config\.json|\.(?:ssh|gnupg)/.*"
    rb")$",
    re.IGNORECASE | re.DOTALL,
)

_CACHE = re.compile(
    rb"(?:.*?/)?(?:__pycache__|node_modules|\.hg|\.svn|\.tox|\.nox|\.eggs|[^/]+\.egg-info|\.cache"
    rb"|\.mypy_cache|\.pytest_cache|\.ruff_cache|\.import_linter_cache|\.hypothesis"
    rb"|\.ipynb_checkpoints|lightning_logs|mlruns|wandb|\.aim|\.guild|\.neptune|\.dvc"
    rb"|\.idea|\.gradle|\.terraform)/",
    re.DOTALL,
)

_DATA = re.compile(
    rb"\.(?:"
    rb"pt|pth|ckpt|safetensors|onnx|tflite|gguf|pb|pkl|pickle|joblib|dill"  # weights and objects
    rb"|np[yz]|mat|h5|hdf5|parquet|feather|arrow|tfrecords?|rec|lmdb|mdb|msgpack|bin|dat"
    rb"|db|sqlite3?|rdb|zip|tar|t?gz|bz2|xz|zst|7z|rar|whl|egg|jar|iso"
    rb"|jpe?g|png|gif|bmp|tiff?|webp|ppm|pgm|exr|dcm|nii|svs|psd|pdf"
    rb"|wav|mp3|flac|ogg|m4a|mp4|avi|mov|mkv|webm"
    rb"|so|dylib|dll|exe|o|a|obj|py[co]|class"  # built
    rb"|log|out|err|sw[op]|tmp|pid|lock-[0-9]+"  # left by programs that run
    rb")$|(?:^|/)(?:events\.out\.tfevents[^/]*|core\.[0-9]+|\.DS_Store|\.coverage)$",
    re.IGNORECASE,
)

_SOURCE = re.compile(
    rb"\.(?:py[ixw]?|pxd|ipynb|c|cc|cpp|cxx|h|hh|hpp|cuh?|ptx|rs|go|java|kt|scala|jl|r|rmd|m|lua|rb"
    rb"|pl|swift|js|jsx|mjs|tsx?|vue|css|scss|html|sh|bash|zsh|fish|ps1|bat|sql|proto|cmake|mk"
    rb"|toml|ya?ml|cfg|ini|conf|gin|jinja2?|j2|md|rst|tex)$"
    rb"|(?:^|/)(?:Makefile|Dockerfile|Snakefile|Pipfile|LICENSE|README|\.[a-z]*ignore"
    rb"|\.gitattributes|requirements[^/]*\.txt)$",
    re.IGNORECASE,
)


def unfit(path: bytes) -> str:
    """Say why a file is never kept, be it tracked or not.

    Args:
        path: The file as seen from the project.

    Returns:
        The reason; empty for a file that may be kept.

    >>> unfit(b"conf/.env"), unfit(b".env.example"), unfit(b"tokenizer.json")
    ('may hold secrets', '', '')
    """
    if _SECRET.search(path):
        return SECRET
    return NO_GIT_NAME if b"/.git/" in b"/%b/" % path.lower() else ""


def is_data(path: bytes) -> bool:
    """Say whether an untracked file is data or output by its name.

    Args:
        path: The file.

    Returns:
        Whether it is.

    >>> is_data(b"runs/best.ckpt"), is_data(b"labels.csv")
    (True, False)
    """
    return _DATA.search(path) is not None


def is_source(path: bytes) -> bool:
    """Say whether a file is source code, a configuration or a document by its name.

    Args:
        path: The file.

    Returns:
        Whether it is; all else that is no data by its name may be either.

    >>> is_source(b"pkg/train.py"), is_source(b"labels.csv")
    (True, False)
    """
    return _SOURCE.search(path) is not None


def cache_of(path: bytes) -> bytes:
    """Find the folder of what programs can make again that an untracked file lies in.

    Args:
        path: The file or, with a final ``/``, a folder.

    Returns:
        The outermost such folder, with a final ``/``; empty for none.

    >>> cache_of(b"pkg/__pycache__/x.pyc"), cache_of(b"pkg/x.py")
    (b'pkg/__pycache__/', b'')
    """
    found = _CACHE.match(path)
    return found[0] if found else b""
