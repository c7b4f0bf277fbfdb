"""Secrets are taken out of prose, logs and code, which stay readable."""

from __future__ import annotations

import ast
import copy
import json

import pytest

from thexp_pl.record.redact import REDACTED, Redactor

PEM = "-----BEGIN RSA PRIVATE KEY-----\n{}\n-----END RSA PRIVATE KEY-----".format(
    "\n".join(["MIIEowIBAAKCAQEAplantedplantedplantedplantedplantedplantedplant3"] * 3)
)


@pytest.mark.parametrize(
    "text",
    [
        'API_KEY = "planted"',
        "API_KEY: str = 'planted'",
        "password: Optional[str] = 'planted'",
        'API_KEYS = {"a": "planted", "b": ["planted"]}',
        'API_KEY = (\n    "planted"\n    "planted"\n)',
        'TOKENS = {\n    "hub": "planted1x",\n}\n',
        'os.environ["API_KEY"] = "planted"',
        'os.environ.setdefault("API_KEY", "planted")',
        'if password == "planted":',
        'api_key = """planted"""',
        "password = b'planted'",
        "password = 'planted and never closed",
        "Namespace(lr=1, api_key='planted')",
        "password = 'my token=planted'",
        "api_key=" + "x1" * 300 + "planted",
        "['train.py', '--api_key', 'planted']",
        "train.py --api_key planted-3f9a",
        "'credentials': {'user': 'planted', 'all': {'x': 'planted'}}",
        "credentials={'user': 'planted'",
        '"{\\"api_key\\": \\"planted\\"}"',
        "API key: planted",
        "access token: planted",
        "monkey: api_key=planted",
        "password: planted",
        "client_secret=planted",
        "X-Api-Key: planted",
        "Authorization: Bearer planted",
        "Authorization: token planted",
        "AUTHORIZATION: basic planted",
        "{'Authorization': 'Bearer planted'}",
        "sent with Bearer planted.7-x",
        "sent with basic dXNlcjpwbGFudGVk",
        "AWS4-HMAC-SHA256 Credential=planted/2020, Signature=" + "0123456789abcdef" * 4,
        "https://me:planted@host/x",
        "https://planted@host/x",
        "https://me:plan/planted@host/x",
        "postgres://me:planted@host:5432/db",
        "remote: https://x-access-token:planted@github.com/a/b.git",
        "https://host/?X-Amz-Signature=planted&x=1",
        "https://host/?a=1&sig=planted",
        "https://host/?access_token=planted",
        "https://host/?apikey=planted",
        "https://host/?auth=planted",
        "https://host/cb#access_token=planted",
        "https://hooks.slack.com/services/T000/B000/planted0000",
        "sk-planted1234567890abcdef",
        "sk-ant-api03-planted1234567890abcdef",
        "ghp_planted1234567890abcdef",
        "github_pat_planted1234567890abcdef",
        "hf_planted1234567890ABCDEFGH",
        "xoxb-planted-1234",
        "eyJhbGciOiJ9.eyJzdWIiOiplanted9.planted",
        "glpat-planted1234567890",
        f"the key is {PEM}",
        repr(PEM),
        PEM[:100],
    ],
)
def test_a_secret_is_taken_out_of_a_text(text: str) -> None:
    shown = Redactor().text(f"first, {text}\nlast line")
    assert "planted" not in shown
    assert "dXNlcjpwbGFudGVk" not in shown
    assert "0123456789abcdef" not in shown
    assert shown.startswith("first, ")
    assert shown.endswith("last line")
    assert REDACTED in shown


def test_an_access_key_of_aws_is_known_by_its_form() -> None:
    assert Redactor().text("id AKIAIOSFODNN7EXAMPLE.") == f"id {REDACTED}."


ORDINARY = """
tokenizer=bert
max_tokens=512
key=lambda x: x[1]
monkey: 3
d_key=64
lr=0.01
/home/u/keys/data.npy
sort_key=val_loss
rows = sorted(rows, key=lambda row: row.step)
tests/test_secret.py::test_a PASSED
  File "/home/u/redact_secrets.py", line 3, in main
redact_secrets.py:120: in main
FileNotFoundError: credentials.json: no such file
api_key = os.environ["API_KEY"]
api_key=args.api_key, token=self._token
def f(api_key: str, token: str | None = None, lr: float = 0.1) -> None:
    password: Optional[str] = None
    api_key: The key of the service.
    if not password: return None
    for key in keys: print(key)
class Token: pass
import secrets; secrets.token_urlsafe(16)
parser.add_argument("--api_key", "-k", help="the key")
usage: train.py [--api_key API_KEY] [--token TOKEN]
headers={"Authorization": f"Bearer {token}"}
f"https://host/?token={token}"
f"password='{given['password']}'"
cache_key = f"{name}-{version}"
rng_key = jax.random.PRNGKey(0)
key = 'module.layer4.2.conv1.weight'
key='layer_conv1_weight' token = "val_loss_epoch_10"
KeyError: 'learning_rate'
TokenError: end of file
AttributeError: 'Namespace' object has no attribute 'api_key'
Missing key(s) in state_dict: "fc.weight", "fc.bias".
state_dict keys: ['a.weight', 'b.bias']
tokens/s: 1234.5  tokens: 15.2k tokens_per_sec=1234
token_type_ids=[0, 1, 0] pad_token_id=50256 bos_token=<s>
key_padding_mask=None past_key_values=DynamicCache()
special_tokens={'pad': '<pad>', 'eos': '</s>'}
tokens: [101, 2023, 102]
{'token': 1, 'loss': 2}
key_frames=10 num_tokens=1e9 train_tokens=1.5B
api_key: ${oc.env:API_KEY}
api_key=**** password=''
git@github.com:org/repo.git
ssh://git@github.com/org/repo.git
https://github.com/org/repo.git@v1.2
http://localhost:8080/x@y http://[::1]:80/x@y
see https://docs.x.y/?page=2&sort_key=val_loss
sha256: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
commit 2fd4e1c67a2d28fced849ee1bb76e7391b93eb12
the run 26-11-22-061138-k3f9 of mytrainer_lr=0.01
epoch 3: loss=0.1 keep.0000003.ckpt 1000003.ckpt model.0000010.pth
hf_model hf_transformers_classification import hf_hub_download
sk-learn-pipeline-classification task-1 mask-rcnn disk-1234567890abcdef
Basic training started, Bearer of news, basic ResNet18 model
Authorization required for this page
-----BEGIN CERTIFICATE----- -----BEGIN PUBLIC KEY-----
passes: 3 forward_pass=fused n_pass=2 pass@1: 0.43 pass_rate=0.3
keyboard: us turkey=1 hotkey: ctrl-c bypass=True compass: north secretary: bob
 50%|█████     | 500/1000 [00:12<00:12, 40.1it/s, loss=0.4213]
""".strip().split("\n")


@pytest.mark.parametrize("line", ORDINARY)
def test_an_ordinary_line_comes_out_unchanged(line: str) -> None:
    assert Redactor().text(line) == line


def test_all_ordinary_lines_together_come_out_unchanged() -> None:
    text = "\n".join(ORDINARY)
    redactor = Redactor()
    assert redactor.text(text) == text
    assert redactor.text(text) == text  # nothing of it was taken for a secret


def test_code_stays_code() -> None:
    code = '''
class Model:
    """A model.

    Args:
        api_key: The key of the service.
    """

    def __init__(self, api_key: str = "planted-1x", token=None) -> None:
        self.token = token or os.environ["HUB_TOKEN"]
        self.keys = {"image": 1, "label": 2}
        self.credentials = {
            "user": "planted-2x",
            "host": ["planted-3x"],
        }

    def rows(self):
        return sorted(self.read(), key=lambda row: row["key"])
'''
    shown = Redactor().text(code)
    assert ast.parse(shown)
    assert "planted" not in shown
    removed = {
        '"planted-1x"': f'"{REDACTED}"',
        code[code.index('{\n            "user"') : code.index("}\n\n    def rows") + 1]: (
            f'"{REDACTED}"'
        ),
    }
    for old, new in removed.items():
        code = code.replace(old, new)
    assert shown == code


def test_json_stays_json() -> None:
    value = {"api_key": 'a"\\é\n', "n": [{"password": 12345678}, {"tokens": {"a": ["b1c2d3e4"]}}]}
    shown = json.loads(Redactor().text(json.dumps(value)))
    assert shown == {"api_key": REDACTED, "n": [{"password": REDACTED}, {"tokens": REDACTED}]}


def test_a_private_key_that_is_printed_line_by_line_is_gone() -> None:
    text = f"before\n{PEM}\nafter\nMIIEowIBAAKCAQEAafterthekey\n"
    line = Redactor().lines()
    shown = "".join(map(line, text.splitlines(keepends=True)))
    assert "planted" not in shown
    assert shown.startswith("before\n<redacted>")
    assert shown.endswith("\nafter\nMIIEowIBAAKCAQEAafterthekey\n")


def test_a_copy_of_a_reader_of_lines_remembers_by_itself() -> None:
    first, *rest = PEM.splitlines()
    line = Redactor().lines()
    before = copy.copy(line)
    line(first)
    inside = copy.copy(line)
    assert [inside(text) for text in rest] == [REDACTED] * len(rest)
    assert inside("MIIEowIBAAKCAQEAafterthekey") == before("MIIEowIBAAKCAQEAafterthekey")
    assert line(rest[0]) == REDACTED
    assert before(rest[0]) == rest[0]


def test_the_beginning_of_a_private_key_alone_takes_no_further_lines() -> None:
    line = Redactor().lines()
    shown = [line(text) for text in ("-----BEGIN PRIVATE KEY-----\n", "epoch 3: 0.1\n", "done\n")]
    assert shown == [f"{REDACTED}\n", "epoch 3: 0.1\n", "done\n"]
