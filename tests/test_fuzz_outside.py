"""Whatever manifests, queries and config files say: nothing outside of their places is touched."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from typed_commands import Typed, thexp_pl
from upkeep_helpers import add_checkpoint, change, with_code

__all__ = ["thexp_pl"]

EXAMPLES = int(os.environ.get("THEXP_PL_FUZZ", "8"))  # of each property
FUZZ = settings(
    max_examples=EXAMPLES,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
State = dict[str, tuple[int, int, bytes]]


class World(NamedTuple):
    """All that lies around a root: its project, the user's home, and what is others'."""

    above: Path
    key: str

    @property
    def home(self) -> Path:
        return self.above / "home"

    @property
    def project(self) -> Path:
        return self.above / "project"

    @property
    def root(self) -> Path:
        return self.project / "experiment"

    def renew(self) -> None:
        """Make the root what it was at first."""
        shutil.rmtree(self.root)
        shutil.copytree(self.above / "first", self.root, symlinks=True)

    def state(self, *own: Path) -> State:
        """Give mode, time and content of all that there is, but for what lies in some folders."""
        found: State = {}
        for at, folders, files in os.walk(self.above):
            folders[:] = [name for name in folders if Path(at, name) not in own]
            for path in (Path(at, name) for name in (".", *folders, *files)):
                facts = path.lstat()
                content = b""
                if path.is_symlink():
                    content = os.fsencode(path.readlink())
                elif path.is_file():
                    content = path.read_bytes()
                found[str(path)] = (facts.st_mode, facts.st_mtime_ns, content)
        return found

    def kinds(self, folder: Path) -> set[str]:
        """Name what lies in a folder, without suffixes."""
        return {path.name.partition(".")[0] for path in folder.iterdir()}

    def typed(self, type_in: Typed, *words: str) -> None:
        """Type a command, which may be refused in one line, and nothing else."""
        code, _, err = type_in.ended(*words)
        assert code in (0, 1, 2), (words, err)
        assert code != 2 or err.startswith("error: "), (words, err)
        assert "Traceback" not in err


@pytest.fixture
def world(tmp_path: Path, thexp_pl: Typed, monkeypatch: pytest.MonkeyPatch) -> World:
    project = tmp_path / "project"
    for name in ("home", "other", "project"):
        (tmp_path / name).mkdir()
    for name in ("secret.txt", "other/weights.ckpt", "project/data.csv", "project/train.py"):
        (tmp_path / name).write_text(name)
    (project / "link").symlink_to("../other")
    monkeypatch.setenv("THEXP_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(project)
    change(with_code(project / "experiment", project), process={})  # as if of another process
    paths = with_code(project / "experiment", project)
    add_checkpoint(paths)
    thexp_pl("list")
    shutil.copytree(project / "experiment", tmp_path / "first", symlinks=True)
    return World(tmp_path, paths.key)


# -- manifests -------------------------------------------------------------------------------------

ABOVE = "<the folder above>"
# seen from the root, from the working directory, from the run's folder, and from anywhere
OTHERS = [f"{up}/other/weights.ckpt" for up in ("../..", "..", "../../../..", ABOVE)]
PLACES = [
    *OTHERS, "..", "../../secret.txt", "link/weights.ckpt", "/", "a/../../x", "~", "$(touch x)",
    "`touch x`; touch x", "x" * 300, "--to=..", "\0", "\ud800",
]  # fmt: skip
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=6) | st.sampled_from(PLACES),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["key", "how", "path", "checkpoint", "tree", "project", "kind", "sha256"]),
        inner, max_size=4,
    ),
    max_leaves=6,
)  # fmt: skip
NAMES = ["key", "experiment", "root", "folder", "cwd", "command", "code", "parent", "uses", "files",
         "sweep", "process", "python", "params", "metrics", "environment", "ranks"]  # fmt: skip
DEEDS = [
    ("list", "--json"),
    ("show", "KEY"),
    ("diff", "@last~1", "KEY"),
    ("tag", "KEY", "--add", "best"),
    ("reproduce", "KEY", "--dry_run"),
    ("resume", "KEY", "--dry_run"),
    ("rollback", "KEY", "--to", "experiment/.thexp/rolled_back"),
    ("gc", "--check"),
    ("export", "KEY", "-o", "experiment/run.zip"),
    ("rm", "KEY", "--yes"),
    ("rm", "--restore", "KEY"),
    ("rm", "KEY", "--purge", "--yes"),
    ("gc", "--older_than", "0s"),
]
HOSTILE = {
    **dict.fromkeys(("key", "experiment", "root", "folder", "cwd"), f"{ABOVE}/other"),
    "parent": {"key": "../../other", "how": "resumed", "checkpoint": OTHERS[0]},
    "code": {"tree": "../../../../other", "project": f"{ABOVE}/other", "entry": OTHERS[0]},
    "uses": [{"path": path, "kind": "file"} for path in (*OTHERS, "..")],
    "files": [{"path": path, "how": "deleted"} for path in OTHERS],
    "command": f"python {OTHERS[0]}; touch x",
    "sweep": {"key": "../../../../other", "point": 0},
    "environment": {"THEXP_HOME": "../other"},
}


@FUZZ
@example(changed=HOSTILE, deeds=DEEDS)
@example(changed={name: HOSTILE[name] for name in ("cwd", "parent", "uses", "files")}, deeds=DEEDS)
@given(
    changed=st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=4),
    deeds=st.lists(st.sampled_from(DEEDS), min_size=1, max_size=3),
)
def test_whatever_a_manifest_holds_commands_touch_the_root_and_the_home_alone(
    thexp_pl: Typed, world: World, changed: dict[str, Any], deeds: list[tuple[str, ...]]
) -> None:
    world.renew()
    (manifest,) = world.root.glob(f"*/{world.key}/run.json")
    text = json.dumps({**json.loads(manifest.read_text()), **changed})
    manifest.write_text(text.replace(ABOVE, str(world.above)))
    before = world.state(world.root, world.home)
    for deed in deeds:
        words = [world.key if word == "KEY" else word for word in deed]
        world.typed(thexp_pl, *words, "--exps_dir", "experiment")
    assert world.state(world.root, world.home) == before


# -- queries ---------------------------------------------------------------------------------------

INJECTED = [
    "'; ATTACH DATABASE 'x.db' AS x; CREATE TABLE x.a (b); --",
    "' OR writefile('x', 'y') OR '",
    "') ; VACUUM INTO 'x.db' ; --",
    "__import__('os').system('touch x')",
    "open('x', 'w')",
    "load_extension('x')",
    "$(touch x)",
    "../../secret.txt",
]
WORDS = ["key", "status", "tags", "==", "in", "(", ")", "and", "or", "not", "'", ";", "--"]
PIECES = st.sampled_from([*INJECTED, *map(repr, INJECTED), *WORDS])
QUERIES = st.one_of(
    st.lists(PIECES, min_size=1, max_size=6).map(" ".join),
    st.builds("key == {!r}".format, PIECES),
    st.builds("params[{!r}] != {!r}".format, PIECES, PIECES),
    st.builds("matches(notes, {!r}) or {!r} in tags".format, PIECES, PIECES),
).filter(lambda query: not query.startswith("-"))  # these are flags


@FUZZ
@example(query="open('x', 'w')")
@example(query="matches(notes, 'a') and __import__('os').system('touch x') == 0")
@given(query=QUERIES)
def test_whatever_is_asked_nothing_but_the_home_is_touched(
    thexp_pl: Typed, world: World, query: str
) -> None:
    before = world.state(world.home)
    for words in (("list", query), ("compare", query), ("rm", query, "--yes", "--dry_run")):
        world.typed(thexp_pl, *words)
    world.typed(thexp_pl, "list", f"--sort={query}")
    assert world.state(world.home) == before
    assert world.kinds(world.home) <= {"index", "roots"}


# -- config files ----------------------------------------------------------------------------------

VARIABLES = st.dictionaries(st.sampled_from(["a", *PLACES[:-1]]), VALUES, max_size=3)
CONTENTS = st.binary(max_size=40) | VARIABLES.map(lambda values: json.dumps(values).encode())
ASKED = st.sampled_from(
    [
        ("-l", "--json"),
        ("NAME",),
        ("NAME", "NAME"),
        ("--global", "NAME", "1"),
        ("--global", "-u", "NAME"),
        ("--local", "-u", "NAME"),
    ]
)


@FUZZ
@example(content=b'{"a": 1}', asked=("--global", "NAME", "1"), name=OTHERS[1])
@example(content=b'{"a": 1}', asked=("NAME", "NAME"), name=OTHERS[0])
@given(content=CONTENTS, asked=ASKED, name=st.sampled_from(["a", *PLACES[:12]]))
def test_whatever_a_config_file_holds_no_other_file_is_touched(
    thexp_pl: Typed, world: World, content: bytes, asked: tuple[str, ...], name: str
) -> None:
    local = world.project / ".thexp"
    local.mkdir(exist_ok=True)
    for folder in (world.home, local):
        (folder / "config.json").write_bytes(content)
    before = world.state(local, world.home)
    world.typed(thexp_pl, "config", *(name if word == "NAME" else word for word in asked))
    world.typed(thexp_pl, "list")
    assert world.state(local, world.home) == before
    assert world.kinds(world.home) <= {"index", "roots", "config"}
    assert world.kinds(local) == {"config"}
