"""Names, arguments and parameters: secrets never reach a record, and what is none stays."""

from __future__ import annotations

import pytest

from thexp_pl.record.redact import REDACTED, Redactor, is_secret_name


@pytest.fixture(autouse=True)
def no_secrets_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    for name in list(os.environ):
        if is_secret_name(name):
            monkeypatch.delenv(name)


@pytest.mark.parametrize(
    "name",
    [
        "key", "API_KEY", "apikey", "apiKey", "WANDB_API_KEY", "token", "hf_token", "HFTOKEN",
        "accessToken", "tokenValue", "password", "db-password", "PASSWD", "db_pwd", "secret",
        "AWS_SECRET_ACCESS_KEY", "credentials", "login.password", "my.key.file", "passphrase",
    ],
)  # fmt: skip
def test_what_is_named_like_a_secret_is_one(name: str) -> None:
    assert is_secret_name(name, "abc")
    assert is_secret_name(name, "12345")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("lr", 0.1), ("tokenizer", "bpe"), ("keypoint", "3"), ("keep", True), ("max_tokens", 512),
        ("num-tokens", "512"), ("key_dim", 64), ("pad_token_id", 0), ("keyboard", "x"),
        ("PWD", "/"), ("monkey", 3), ("d_key", 64), ("turkey", "x"), ("secretary", "bob"),
        ("key_frames", 10), ("token_type_ids", [0, 1]), ("metric_keys", ["loss", "acc"]),
        ("api_key", None), ("password", False), ("api_key", "${oc.env:API_KEY}"),
        ("tokens", 300_000_000_000), ("forward_pass", "fused"), ("n_pass", 2),
        ("special_tokens", {"pad": "<pad>", "eos": "</s>"}), ("key", "lambda x: x[1]"),
        ("sort_key", "layer.weight"), ("random_key", 0),
        ("user_token_count", 300), ("key_size", 10**9),
    ],
)  # fmt: skip
def test_what_only_looks_a_little_like_one_is_none(name: str, value: object) -> None:
    assert not is_secret_name(name, value)


@pytest.mark.parametrize(
    "argument",
    [
        ["--api_token=planted"],
        ["--password", "planted"],
        ["-token", "planted"],
        ["api_key=planted"],
        ["--optim", '{"lr": 1, "api_key": "planted"}'],
        ["--optim={'password': 'planted'}"],
        ["--config=token:planted"],
        ["https://user:planted@host/path"],
        ["--url=https://planted@host/path"],
        ["--url", "https://host/?a=1&token=planted&b=2"],
        ["--note", 'password = "planted and more"'],
        ["--password", "planted and more"],
        ["--password=planted 'and' \"more\"\nlines of it"],
        ["--password", "planted\nmore"],
        ["--optim", '{"api_key": "a\\"planted"}'],
        ["--optim", '{"hub": {"credentials": {"user": "planted", "all": ["planted"]}}}'],
        ["--optim", "{api_keys: [planted, 'planted more'], lr: 1}"],
        ["--json", '"{\\"api_key\\": \\"planted\\"}"'],
        ["--api_keys", "planted", "planted-2"],
        ["--header", "Authorization: Bearer planted"],
        ["--header", "X-Api-Key: planted"],
        ["-c", "password: str = 'planted'"],
        ["hub.token=planted=="],
        ["--password=planted and more=planted"],
        ["lr=1 api_key=planted b=2"],
        ["--cmd", "train.py --token planted"],
        ["https://host/?X-Amz-Signature=planted&X-Amz-Date=1"],
    ],
)
def test_a_secret_is_taken_out_of_an_argument(argument: list[str]) -> None:
    redactor = Redactor()
    shown = redactor.argv(["train.py", *argument, "--lr=0.1"])
    assert "planted" not in " ".join(shown)
    assert "more" not in " ".join(shown)
    assert (shown[0], shown[-1], len(shown)) == ("train.py", "--lr=0.1", len(argument) + 2)
    assert "planted" not in redactor.command(["train.py", *argument])


def test_a_flag_that_follows_a_secret_flag_stays() -> None:
    assert Redactor().argv(["--token", "--lr=1"]) == ["--token", "--lr=1"]


def test_nested_parameters_lose_their_secrets_and_nothing_else() -> None:
    params = {
        "lr": 0.1,
        "hub": {"token": "planted", "name": "x", "credentials": {"user": "planted"}},
        "urls": ["ftp://a:planted@host", "plain"],
        "max_tokens": 512,
        "password": 12345,
        "api_key": None,
    }
    assert Redactor().tree(params) == {
        "lr": 0.1,
        "hub": {"token": REDACTED, "name": "x", "credentials": REDACTED},
        "urls": [f"ftp://{REDACTED}@host", "plain"],
        "max_tokens": 512,
        "password": REDACTED,
        "api_key": None,
    }


def test_a_known_secret_is_found_again_in_any_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SERVICE_TOKEN", "from-the-environment")
    monkeypatch.setenv("SSH_KEY", "/home")
    redactor = Redactor()
    redactor.argv(["--password", "from-the-arguments"])
    redactor.tree({"api_key": "from-the-params"})
    text = redactor.text(
        "/home: from-the-environment, from-the-arguments, from-the-params, from-elsewhere"
    )
    assert text == f"/home: {REDACTED}, {REDACTED}, {REDACTED}, from-elsewhere"


def test_python_code_in_a_traceback_stays_readable() -> None:
    code = "    rows = sorted(rows, key=lambda row: row.step)\n    for key: str in names: pass"
    assert Redactor().text(code) == code


def test_the_name_of_an_exception_is_no_secret():
    text = "KeyError: 'learning_rate'\nTokenError: end of file\nAPI_KEY: 'abcdefgh'"
    shown = Redactor().text(text)
    assert "KeyError: 'learning_rate'" in shown
    assert "TokenError: end of file" in shown
    assert "abcdefgh" not in shown


@pytest.mark.parametrize(
    "command",
    [
        ["--sort_key", "learning_rate", "--learning_rate", "0.1"],
        ["--sort-key=val_loss", "--monitor", "val_loss"],
        ["--pad_token", "<pad>", "--text", "a <pad> b"],
        ["--optim={'monitor_key': 'val_loss'}", "val_loss"],
        ["--password", "words", "--text", "some words"],
        ["--api_key", "learning_rate", "--learning_rate=1"],
    ],
)
def test_ordinary_words_stay_readable(command: list[str]) -> None:
    shown = Redactor().argv(command)
    secret = command[0] in ("--password", "--api_key")
    assert shown == ([command[0], REDACTED, *command[2:]] if secret else command)


def test_the_names_of_columns_and_tokens_are_no_secrets() -> None:
    params = {
        "monitor_key": "val_loss",
        "early_stopping": "val_loss",
        "eos_token": "</s>",
        "pad_token": "<pad>",
        "mask_token": "[MASK]",
        "batch_keys": "image",
    }
    assert Redactor().tree(params) == params
    assert Redactor().text("monitor_key = 'val_loss'") == "monitor_key = 'val_loss'"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("sort_key", "sk-1234567890"),
        ("pad_token", "ghp_16C7e42F292c69"),
        ("api_key", "letmein"),
        ("hf_token", "letmein"),
        ("user_password", "letmein"),
        ("my_secret_key", "letmein"),
    ],
)
def test_a_value_that_could_be_a_secret_goes_all_the_same(name: str, value: str) -> None:
    assert Redactor().tree({name: value}) == {name: REDACTED}
    assert value not in Redactor().command(["train.py", f"--{name}", value])


def test_a_value_goes_too_where_it_stands_before_its_name() -> None:
    shown = Redactor().argv(["train.py", "planted-1x", "out/planted-1x.txt", "--key", "planted-1x"])
    assert shown == ["train.py", REDACTED, f"out/{REDACTED}.txt", "--key", REDACTED]


def test_a_value_goes_too_where_a_parameter_or_a_name_repeats_it() -> None:
    params = {
        "run": "run of planted-1x",
        "planted-1x": 1,
        "last": [{"token": "planted-1x"}],
    }
    assert Redactor().tree(params) == {
        "run": f"run of {REDACTED}",
        REDACTED: 1,
        "last": [{"token": REDACTED}],
    }


def test_two_names_that_a_secret_tells_apart_stay_two() -> None:
    params = {"password": ["planted-1x", "planted-2y"], "planted-1x": 1, "planted-2y": 2}
    shown = Redactor().tree(params)
    assert sorted(value for value in shown.values() if value != REDACTED) == [1, 2]
    assert "planted" not in str(shown)


def test_texts_and_numbers_under_a_secret_name_are_known_afterwards() -> None:
    redactor = Redactor()
    redactor.tree({"credentials": {"user": {"names": ["planted-1x"]}, "pin": 1234567890}})
    assert redactor.text("planted-1x, 1234567890, user") == f"{REDACTED}, {REDACTED}, user"


@pytest.mark.parametrize(
    "command",
    [
        "tokenizer=bert max_tokens=512 key=lambda x: x[1] monkey: 3 d_key=64 lr=0.01",
        "/home/u/keys/data.npy",
        "sort_key=val_loss",
        "--data=/home/u/keys/data.npy",
        "-c",
        "from secrets import token_hex; print(token_hex(16))",
        "--optim={'lr': 0.1, 'betas': [0.9, 0.99]}",
        '{"special_tokens": ["<pad>", "<s>"], "token_dropout": 0.1, "token": 1}',
        "pad_token_id=50256 bos_token=<s> eos_token=</s>",
        "26-11-22-061138-k3f9",
        "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "--url=https://host:8080/x@v1?page=2&sort_key=val_loss",
        "ssh://git@github.com/org/repo.git",
        "keep.0000003.ckpt",
        "hf_model",
        "--api_key",
    ],
)
def test_an_ordinary_argument_comes_out_unchanged(command: str) -> None:
    redactor = Redactor()
    assert redactor.argv(["train.py", command]) == ["train.py", command]
    assert redactor.tree({"value": command, "list": [command]}) == {
        "value": command,
        "list": [command],
    }
