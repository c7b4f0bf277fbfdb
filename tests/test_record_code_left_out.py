"""What is no code is left out of a snapshot, and said to be."""

from __future__ import annotations

import os
import socket
import tempfile
from pathlib import Path

import pytest
from record_code_helpers import git, kept, reasons, repository, restored, store_files, write

from thexp_pl.record.code import git_facts, take_snapshot
from thexp_pl.record.code.walk import MAX_ENTRIES, MAX_FOLDER
from thexp_pl.record.roots import register_root

SECRETS = [
    *(".env", ".env.local", "conf/.env", "prod.env", ".ENV", ".envrc", "server.pem", "tls/x.key"),
    *("id_rsa", "id_ed25519.pub", ".netrc", "_netrc", ".pypirc", "credentials", "credentials.json"),
    *("credentials_gcp.yaml", ".git-credentials", "secrets.yaml", "hf_token", ".token"),
    *("client_secret_12.json", "service-account.json", "kaggle.json", ".ssh/config"),
    *("api_key.txt", "conf/passwords"),
]
NO_SECRETS = [
    *(".env.example", "example.env", "environment.yml", "tokenizer.json", "token.py", "tokens.txt"),
    *("keys.py", "secrets.py", "monkey.txt", "pem.py"),
]


@pytest.mark.parametrize("tracked", [True, False])
def test_files_that_may_hold_secrets_are_left_out_even_when_tracked(
    tmp_path: Path, tracked: bool
) -> None:
    files = dict.fromkeys([*SECRETS, *NO_SECRETS], "planted-secret")
    make = repository if tracked else write
    make(tmp_path / "p", files)
    facts = take_snapshot(tmp_path / "p", tmp_path)
    assert {os.fsdecode(name) for name in restored(tmp_path, facts)} == set(NO_SECRETS)
    assert reasons(facts) == dict.fromkeys(SECRETS, "may hold secrets")


def test_large_files_are_left_out_even_when_tracked(tmp_path: Path) -> None:
    project = repository(tmp_path / "p", {"a.py": "1", "large.py": "x" * 1001, "b.py": "x" * 1000})
    facts = take_snapshot(project, tmp_path, max_bytes=1000)
    assert set(restored(tmp_path, facts)) == {b"a.py", b"b.py"}
    assert facts["left_out"] == [
        {"path": "large.py", "why": "larger than 1,000 bytes", "bytes": 1001}
    ]
    assert facts["left_out_count"] == 1


@pytest.mark.parametrize("is_repository", [True, False])
def test_environments_caches_and_data_are_left_out_unless_tracked(
    tmp_path: Path, is_repository: bool
) -> None:
    project = tmp_path / "p"
    if is_repository:
        repository(project, {"kept.npy": "1", "node_modules/kept.js": "1", "train.py": ""})
    junk = {
        "env/pyvenv.cfg": "",
        "env/lib/python3/site-packages/x.py": "",
        "pkg/conda/conda-meta/history": "",
        "node_modules/x/y.js": "",
        "pkg/__pycache__/a.cpython-311.pyc": "",
        "pkg/__pycache__/odd.py": "",
        "lightning_logs/version_0/hparams.yaml": "",
        "images/1.JPG": "",
        "weights.ckpt": "",
        "bare.git/HEAD": "",
        "bare.git/objects/x": "",
        "bare.git/refs/x": "",
    }
    code = {"pkg/a.py": "", "labels.csv": "", "data/loader.py": "", "notes.txt": ""}
    write(project, junk | code)
    facts = take_snapshot(project, tmp_path)
    tracked = {"kept.npy", "node_modules/kept.js", "train.py"} if is_repository else set()
    assert {os.fsdecode(name) for name in restored(tmp_path, facts)} == set(code) | tracked
    cache = "a cache, or the record of another tool"
    named = "files in it that are data or output by their names"
    assert reasons(facts) == {
        "env/": "a virtual environment",
        "pkg/conda/": "a virtual environment",
        "node_modules/": cache,
        "pkg/__pycache__/": cache,
        "lightning_logs/": cache,
        "images/": named,
        "./": named,
        "bare.git/": "a bare git repository",
    }


@pytest.mark.parametrize("is_repository", [True, False])
def test_experiment_roots_and_the_home_are_left_out(
    tmp_path: Path, is_repository: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = tmp_path / "p"
    monkeypatch.setenv("THEXP_HOME", str(project / "home"))
    files = dict.fromkeys(("a.py", "exp/a/key/code.py", "old/b/key/code.py"), "")
    files |= {"deep/er/root/c.py": "", "home/config.json": "", ".thexp/config.json": ""}
    for root in ("exp", "old", "deep/er/root"):
        (project / root).mkdir(parents=True)
        register_root(project / root)
    if is_repository:
        write(project, {".gitignore": ""})
        repository(project, {"old/tracked.py": "", "deep/b.py": ""})
    write(project, files)
    facts = take_snapshot(project, project / "exp")
    expected = {b"a.py", b".thexp/config.json"}
    expected |= {b".gitignore", b"deep/b.py"} if is_repository else set()
    assert set(restored(project / "exp", facts)) == expected
    assert reasons(facts) == {
        "exp/": "the experiment root",
        "old/": "an experiment root",
        "deep/er/root/": "an experiment root",
        "home/": "thexp's home",
    }


def test_a_project_that_is_its_own_experiment_root_keeps_its_code_alone(tmp_path: Path) -> None:
    register_root(tmp_path)
    write(tmp_path, {"train.py": "1", "mytrainer/26-11-22-061138-k3f9/run.json": "{}"})
    write(tmp_path, {"mytrainer/26-11-22-061138-k3f9/keycode/a.py": "", ".thexp/config.json": ""})
    first = take_snapshot(tmp_path, tmp_path)
    assert take_snapshot(tmp_path, tmp_path) == first
    assert reasons(first)["mytrainer/"] == "recorded runs"
    assert set(restored(tmp_path, first)) == {b"train.py", b".thexp/config.json"}


def test_what_the_caller_names_is_left_out(tmp_path: Path) -> None:
    project = repository(tmp_path / "p", {"a.py": "", "b.py": "", "out/c.py": ""})
    write(project, {"new/d.py": ""})
    given = [project / "b.py", project / "out", project / "new", tmp_path / "outside"]
    assert kept(project, tmp_path, leave_out=given) == {"a.py"}


def test_repositories_inside_the_project_are_kept_with_it(tmp_path: Path) -> None:
    project = repository(tmp_path / "p", {"a.py": "1"})
    repository(tmp_path / "lib", {"lib.py": "1", ".gitignore": "x.py"})
    allow = ("-c", "protocol.file.allow=always")
    git(project, *allow, "submodule", "add", "-q", str(tmp_path / "lib"), "sub")
    git(project, "commit", "-q", "-m", "submodule")
    write(project, {"sub/lib.py": "2", "sub/new.py": "3", "sub/x.py": "ignored there"})
    repository(project / "deep" / "nested", {"n.py": "4"})
    write(project, {"deep/nested/new.py": "5"})
    (project / "unborn").mkdir()
    git(project / "unborn", "init", "-q")
    write(project, {"unborn/u.py": "6"})
    write(project, {"broken/.git/HEAD": "nonsense", "broken/b.py": ""})
    write(project, {"odd/.git/x": "", "odd/o.py": ""})
    facts = take_snapshot(project, tmp_path)
    found = {name: content for name, (_, content) in restored(tmp_path, facts).items()}
    assert found.pop(b".gitmodules")
    assert found == {
        b"a.py": b"1",
        b"sub/lib.py": b"2",
        b"sub/new.py": b"3",
        b"sub/.gitignore": b"x.py",
        b"deep/nested/n.py": b"4",
        b"deep/nested/new.py": b"5",
        b"unborn/u.py": b"6",
        b"odd/o.py": b"",
    }
    assert reasons(facts) == {"broken/": "a repository that git cannot list"}


def test_a_project_without_a_repository_follows_its_gitignore(tmp_path: Path) -> None:
    write(tmp_path / "p", {".gitignore": "out/\n*.gen.py\n!keep.gen.py\n", "b.gen.py": ""})
    write(
        tmp_path / "p",
        {"a.py": "", "keep.gen.py": "", "out/x.py": "", "pkg/out/y.py": "", "pkg/c.py": ""},
    )
    write(tmp_path / "p", {"pkg/.gitignore": "local.py", "pkg/local.py": "", "pkg/z.gen.py": ""})
    assert kept(tmp_path / "p", tmp_path) == {
        *(".gitignore", "a.py", "keep.gen.py", "pkg/c.py", "pkg/.gitignore")
    }


def test_a_project_that_the_repository_around_it_ignores_is_kept(tmp_path: Path) -> None:
    repository(tmp_path / "r", {".gitignore": "scratch/", "a.py": ""})
    write(tmp_path / "r", {"scratch/train.py": "1"})
    assert kept(tmp_path / "r" / "scratch", tmp_path) == {"train.py"}


def test_a_folder_in_a_repository_is_a_project_of_its_own(tmp_path: Path) -> None:
    repository(tmp_path / "r", {"a.py": "", "sub/b.py": "", "sub/pkg/c.py": ""})
    write(tmp_path / "r", {"x.py": "", "sub/y.py": ""})
    assert kept(tmp_path / "r" / "sub", tmp_path) == {"b.py", "pkg/c.py", "y.py"}


def test_what_is_no_file_is_left_out() -> None:
    with tempfile.TemporaryDirectory() as folder:  # a socket's path must be short
        project = repository(Path(folder, "p"), {"a.py": "", "pipe.py": ""})
        (project / "pipe.py").unlink()
        os.mkfifo(project / "pipe.py")
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(str(project / "socket"))
            facts = take_snapshot(project, Path(folder))
        assert set(restored(Path(folder), facts)) == {b"a.py"}
        assert reasons(facts) == {"pipe.py": "neither a file nor a symbolic link"}


def test_folders_of_very_many_files_are_left_out_and_fill_nothing(tmp_path: Path) -> None:
    project = repository(tmp_path / "p", {"train.py": "1", "pkg/model.py": "2"})
    for number in range(MAX_FOLDER + 1):
        for folder in ("flat", f"shards/{number // 100}"):
            (project / folder).mkdir(exist_ok=True, parents=True)
            (project / folder / f"{number}.txt").write_text(str(number))
    write(project, {"shards/loader.py": "3", "shards/7/index.py": "4"})
    facts = take_snapshot(project, tmp_path)
    code = {b"train.py", b"pkg/model.py", b"shards/loader.py", b"shards/7/index.py"}
    assert set(restored(tmp_path, facts)) == code
    assert reasons(facts) == {
        "flat/": "an untracked folder with more than 5,000 entries",
        "shards/": "more than 5,000 untracked files that are no source code",
    }
    assert len(store_files(tmp_path)) < 20
    assert facts["untracked"] == 2


def test_among_very_many_files_at_the_top_the_sources_are_found(tmp_path: Path) -> None:
    write(tmp_path / "p", {"train.py": "1", "pkg/model.py": "2"})
    for number in range(MAX_ENTRIES + 1):
        os.close(os.open(tmp_path / "p" / f"{number}.x", os.O_CREAT))
    facts = take_snapshot(tmp_path / "p", tmp_path)
    assert set(restored(tmp_path, facts)) == {b"train.py", b"pkg/model.py"}
    assert facts["left_out_count"] == 1
    assert "more than 50,000 untracked entries" in reasons(facts)["./"]


def test_dirty_means_that_the_code_is_not_the_commits(tmp_path: Path) -> None:
    project = repository(tmp_path / "p", {"a.py": "1", ".gitignore": "ignored.py"})
    (project / "exp").mkdir()
    register_root(project / "exp")
    write(project, {"weights.pt": "", "__pycache__/a.pyc": "", "ignored.py": "", "exp/a/x.py": ""})
    for code in ({}, {"new.py": ""}):
        write(project, code)
        facts = take_snapshot(project, project / "exp")
        for untracked in (None, facts["untracked"]):
            state = git_facts(project, untracked=untracked)
            assert state is not None
            assert state["dirty"] == bool(code)


@pytest.mark.parametrize(
    ("name", "dirty"),
    [("big.py", True), ("pkg/big.yaml", True), ("big.csv", False), ("big.pt", False),
     ("__pycache__/big.py", False), ("ignored.py", False)],
)  # fmt: skip
def test_an_untracked_source_that_is_too_large_to_keep_makes_it_dirty(
    tmp_path: Path, name: str, dirty: bool
) -> None:
    project = repository(tmp_path / "p", {"a.py": "1", ".gitignore": "ignored.py"})
    write(project, {name: ""})
    os.truncate(project / name, 11_000_000)
    facts = take_snapshot(project, tmp_path)
    assert (facts["files"], facts["untracked"]) == (2, 0)
    for untracked in (None, 0):
        state = git_facts(project, untracked=untracked)
        assert state is not None
        assert state["dirty"] == dirty


def test_untracked_sources_beyond_all_that_is_kept_make_it_dirty(tmp_path: Path) -> None:
    project = repository(tmp_path / "p", {"a.py": "1"})
    (project / "big.py").touch()
    os.truncate(project / "big.py", 101_000_000)
    facts = take_snapshot(project, tmp_path)
    for untracked in (None, facts["untracked"]):
        state = git_facts(project, untracked=untracked)
        assert state is not None
        assert state["dirty"]
