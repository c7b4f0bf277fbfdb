"""A configuration in YAML loses its secrets and nothing else, and stays YAML."""

from __future__ import annotations

import math
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from thexp_pl.record.redact import REDACTED, Redactor

CONFIG = """\
# pytorch_lightning==2.6.6
seed_everything: 0
trainer:
  max_epochs: 2   # two
  callbacks:
  - class_path: lit.Upload
    init_args:
      api_key: planted-1x
      url: https://me:planted-2x@host/x
      hooks: ['https://h/?token=planted-3x&x=1', plain]
  limit: .inf
note: "planted-1x was used"
params:
  tokens:
  - planted-4x
  - planted-5x
  credentials:
    user: planted-6x
    all: {a: planted-7x}
  password: |
    planted-8x
    planted-9x
  flow: {secret: planted-10x, lr: 0.1, key_file: "planted-11x"}
  long_token: 'planted-12x
    planted-13x'
  名字: 值 😀
  max_tokens: 512
last: 1
"""


def test_secrets_are_replaced_in_place() -> None:
    shown = Redactor().yaml(CONFIG)
    assert "planted" not in shown
    assert yaml.safe_load(shown) == {
        "seed_everything": 0,
        "trainer": {
            "max_epochs": 2,
            "callbacks": [
                {
                    "class_path": "lit.Upload",
                    "init_args": {
                        "api_key": REDACTED,
                        "url": f"https://{REDACTED}@host/x",
                        "hooks": [f"https://h/?token={REDACTED}&x=1", "plain"],
                    },
                }
            ],
            "limit": math.inf,
        },
        "note": f"{REDACTED} was used",
        "params": {
            "tokens": REDACTED,
            "credentials": REDACTED,
            "password": REDACTED,
            "flow": {"secret": REDACTED, "lr": 0.1, "key_file": REDACTED},
            "long_token": REDACTED,
            "名字": "值 😀",
            "max_tokens": 512,
        },
        "last": 1,
    }
    kept = [line for line in CONFIG.splitlines() if "planted" not in line]
    assert [line for line in shown.splitlines() if REDACTED not in line] == [
        line for line in kept if line not in ("  tokens:", "  credentials:", "  password: |")
    ]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# nothing\n",
        "a: 1   # a comment\n\n\nb:   [1,2 , 'x']\nsort_key: val_loss\nmax_tokens: 0x10\n",
        "- 1\n- 2",
        "text: |\n  key: lambda x\n  more\nnan: .nan\ninf: -.inf\n",
        "base: &base {lr: 1}\nmine: *base\n",
    ],
)
def test_a_configuration_without_secrets_stays_byte_for_byte(text: str) -> None:
    assert Redactor().yaml(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "base: &base {api_key: planted-1x}\nmine: *base\nkey_1: &a planted-1x\nb: *a\n",
        "base: &base\n  api_key: planted-1x\nmine:\n  <<: *base\n  lr: 1\n",
        "a: &x\n- planted-1x\nmy_tokens: *x\n",
        "planted-1x: 1\ntoken: planted-1x\n",
        "{api_key: planted-1x, 1: [planted-1x, {2: planted-1x}]}",
    ],
)
def test_yaml_with_anchors_and_odd_names_loses_its_secrets(text: str) -> None:
    redactor = Redactor()
    shown = redactor.yaml(text)
    assert "planted" not in shown
    assert yaml.safe_load(shown) == redactor.tree(yaml.safe_load(text))


@pytest.mark.parametrize(
    "rest", ["broken: [1, 2\n", "other: !!python/name:os.getcwd ''\n", "control: \x01\n", "\t- x"]
)
def test_what_is_no_plain_yaml_loses_its_secrets_all_the_same(rest: str) -> None:
    shown = Redactor().yaml(f"lr: 1\napi_key: planted-1x\n{rest}")
    assert shown == f"lr: 1\napi_key: {REDACTED}\n{rest}"


names = st.sampled_from(["lr", "api_key", "名字", "tokens", "password", "a b", "#x", "max_tokens"])
leaves = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
trees = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=4)
)


@given(st.dictionaries(names, trees), st.sampled_from([None, True, False]), st.booleans())
def test_any_configuration_is_redacted_as_its_values_are(
    config: dict[str, Any], flow: bool | None, unicode: bool
) -> None:
    text = yaml.safe_dump(config, default_flow_style=flow, allow_unicode=unicode, sort_keys=False)
    loaded = yaml.safe_load(text)
    redactor = Redactor()
    shown = redactor.yaml(text)
    assert yaml.safe_load(shown) == redactor.tree(loaded)
    if redactor.tree(loaded) == loaded:
        assert shown == text
