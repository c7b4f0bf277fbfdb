"""What the live pages are told of the runs."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from ui_helpers import HOSTILE, Server, record

from thexp_pl.record import Experiment
from thexp_pl.record.notes import add_note, add_tags, read_notes
from thexp_pl.report.page import run_id


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "root"


def keys(answer_rows: list[dict[str, object]]) -> list[object]:
    return [row["key"] for row in answer_rows]


def test_the_pages_of_the_list_hold_each_run_once_newest_first(
    ui_server: Server, root: Path
) -> None:
    made = [record(root, lr=0.1 * place).key for place in range(7)]
    pages = [ui_server.get("/api/rows", limit=3, skip=skip, reverse=1).json for skip in (0, 3, 6)]
    assert [key for page in pages for key in keys(page["rows"])] == made[::-1]
    assert {page["total"] for page in pages} == {7}


def test_the_runs_of_all_known_roots_are_in_one_list(
    ui_server: Server, root: Path, tmp_path: Path
) -> None:
    made = [record(root).key, record(tmp_path / "another").key]
    found = ui_server.get("/api/rows").json
    assert sorted(keys(found["rows"])) == sorted(made)
    assert found["total"] == 2


def test_the_list_is_filtered_by_queries_and_by_words(ui_server: Server, root: Path) -> None:
    small, large = record(root, lr=0.01), record(root, "mytrainer_lr=0.5", lr=0.5)
    add_tags(large, 'the "best" 一')
    add_note(small, "looks Fine\nto me")

    def found(text: str) -> list[object]:
        return keys(ui_server.get("/api/rows", text=text).json["rows"])

    assert found("params.lr < 0.1") == [small.key]
    assert found("'the \"best\" 一' in tags") == [large.key]
    assert found('"best"') == [large.key]
    assert found("一") == [large.key]
    assert found("fine LOOKS") == [small.key]
    assert found("mytrainer_lr=0.5") == [large.key]
    assert found("d_gits") == []
    assert found("100%") == []
    assert found(large.key[-8:]) == [large.key]


def test_a_query_that_cannot_be_meant_is_answered_by_its_own_line(
    ui_server: Server, root: Path
) -> None:
    record(root, lr=0.1)
    assert "did you mean" in ui_server.get("/api/rows", text="params.lrr < 1").refusal()
    assert "metrics" in ui_server.get("/api/rows", sort="metrics.nope").refusal()


def test_runs_that_began_later_are_counted_and_move_nothing(ui_server: Server, root: Path) -> None:
    first = record(root)
    page = ui_server.get("/api/rows").json
    later = record(root)
    again = ui_server.get_until(
        lambda found: found["newer"], "/api/rows", until=repr(page["until"]), reverse=1
    )
    assert (keys(again["rows"]), again["newer"], again["total"]) == ([first.key], 1, 1)
    assert keys(ui_server.get("/api/rows", reverse=1).json["rows"]) == [later.key, first.key]


def test_where_nothing_changed_nothing_is_sent(ui_server: Server, root: Path) -> None:
    paths = record(root)
    first = ui_server.get("/api/rows")
    again = ui_server.get("/api/rows", {"if_none_match": first.headers["etag"]})
    assert (again.status, again.body) == (304, b"")
    assert ui_server.post(paths, {"note": "new"}).status == 200
    changed = ui_server.get("/api/rows", {"if_none_match": first.headers["etag"]})
    assert changed.json["rows"][0]["notes"] == ["new"]


def test_a_damaged_run_spoils_neither_the_list_nor_its_own_page(
    ui_server: Server, root: Path
) -> None:
    whole, torn = record(root), record(root)
    torn.manifest.write_bytes(torn.manifest.read_bytes()[:40])
    rows = {row["key"]: row for row in ui_server.get("/api/rows").json["rows"]}
    assert rows[whole.key]["status"] == "finished"
    assert rows[torn.key]["status"] == "damaged"
    assert rows[torn.key]["damage"]
    page = ui_server.get("/api/page", ids=run_id(torn)).json
    assert page["detail"]["damage"]
    assert ui_server.get("/api/page", ids=f"{run_id(torn)},{run_id(whole)}").json["page"] == "runs"


def test_names_are_given_as_they_were_recorded(ui_server: Server, root: Path) -> None:
    paths = record(root, HOSTILE, **{"<img src=x onerror=a()>": "</script>"})
    found = ui_server.get("/api/rows")
    assert found.headers["content-type"] == "application/json"
    assert found.json["rows"][0]["experiment"] == HOSTILE
    page = ui_server.get(f"/run/{run_id(paths)}")
    assert HOSTILE.encode() not in page.body
    assert ui_server.get("/api/names").json["params"] == ["<img src=x onerror=a()>"]


def test_a_small_curve_keeps_a_spike_of_one_point(ui_server: Server, root: Path) -> None:
    with Experiment(root, "spike", code=False, console=False) as exp:
        for step in range(2000):
            exp.log_metrics(step, 0, {"loss": 900.0 if step == 777 else 1.0})
    found = ui_server.get("/api/sparks", ids=run_id(exp.paths), metric="loss").json
    curve = found[run_id(exp.paths)]
    assert curve["x"][curve["y"].index(900.0)] == 777
    assert len(curve["x"]) < 100
    assert ui_server.get("/api/sparks", ids=run_id(exp.paths), metric="no").json == {
        run_id(exp.paths): None
    }


def test_only_points_that_a_page_does_not_have_are_sent(ui_server: Server, root: Path) -> None:
    with Experiment(root, "going", code=False, console=False) as exp:
        exp.log_metrics(0, 0, {"loss": 3.0})
        exp.log_metrics(1, 0, {"loss": 2.0})
        exp.flush()
        own = run_id(exp.paths)
        page = ui_server.get("/api/page", ids=own).json
        assert page["curves"][own]["rows"] == 2
        asked = {"ids": own, "after": 2, "back": 0}
        assert ui_server.get("/api/curves", **asked).json["curves"] == {}
        exp.log_metrics(2, 0, {"loss": 1.0})
        exp.flush()
        newer = ui_server.get("/api/curves", **asked).json["curves"][own]
        assert (newer["rows"], newer["curves"]["loss"]["x"]) == (3, [2])
        assert newer["curves"]["loss"]["y"] == [1.0]
        assert ui_server.get("/api/curves", **{**asked, "after": 3}).json["curves"] == {}
        found = ui_server.get("/api/curves", **asked, detail=1).json["detail"]
        assert (found["status"], "code" in found) == ("running", False)


def test_a_run_that_went_back_to_a_checkpoint_is_sent_whole(ui_server: Server, root: Path) -> None:
    paths = record(root, steps=4)
    own = run_id(paths)
    ui_server.get("/api/page", ids=own)
    size = paths.metrics.stat().st_size
    second = paths.metrics.read_bytes().splitlines(keepends=True)[:3]  # the head and two rows
    told = {"kept": [[0, sum(map(len, second))]], "until": size}
    with paths.journal.open("a") as file:
        event = {"event": "resume", "time": "2026-01-01T00:00:00+00:00", "passed_over": told}
        file.write(json.dumps(event) + "\n")
    with paths.metrics.open("a") as file:
        file.write("2,0,1.0,loss,7.0\n")
    newer = ui_server.get("/api/curves", ids=own, after=4, back=0).json["curves"][own]
    assert newer["went_back"] == size
    assert newer["curves"]["loss"]["y"] == [1.0, 0.5, 7.0]


def test_a_run_that_vanished_is_said_to_be_gone(ui_server: Server, root: Path) -> None:
    paths, other = record(root), record(root)
    ids = f"{run_id(paths)},{run_id(other)}"
    assert len(ui_server.get("/api/page", ids=ids).json["rows"]) == 2
    shutil.rmtree(paths.folder)
    refused = ui_server.post(paths, {"add": ["x"]})
    assert "gone" in refused.refusal()
    assert not paths.folder.exists()
    found = ui_server.get_until(lambda found: found["gone"], "/api/curves", ids=ids)
    assert found["gone"] == [run_id(paths)]
    assert [row["id"] for row in found["rows"]] == [run_id(other)]
    assert "gone" in ui_server.get("/api/page", ids=run_id(paths)).refusal()
    assert ui_server.get(f"/run/{run_id(paths)}").status == 404


def test_where_no_run_is_left_the_roots_that_are_gone_are_named(
    ui_server: Server, root: Path
) -> None:
    paths = record(root)
    assert ui_server.get("/api/rows").json["gone"] == []
    root.rename(root.with_name("elsewhere"))
    found = ui_server.get_until(lambda found: not found["any"], "/api/rows")
    assert found["gone"] == [repr(str(root))]
    root.with_name("elsewhere").rename(root)
    found = ui_server.get_until(lambda found: found["any"], "/api/rows")
    assert [row["key"] for row in found["rows"]] == [paths.key]


def test_tags_and_notes_reach_the_file_and_what_it_refuses_is_said(
    ui_server: Server, root: Path
) -> None:
    paths = record(root)
    change = {"add": ["a", "b", "一 <b>"], "note": "first\nlines"}
    assert ui_server.post(paths, change).json["tags"] == ["a", "b", "一 <b>"]
    assert ui_server.post(paths, {"remove": ["a"]}).json["tags"] == ["b", "一 <b>"]
    assert [note["text"] for note in read_notes(paths)["notes"]] == ["first\nlines"]
    kept = paths.notes.read_bytes()
    for wrong in (
        {"add": [" "]}, {"add": "x"}, {"add": [1]}, {"note": "  "}, {"note": 3}, {}, [],
        {"drop": 1}, {"add": ["x" * 1000]}, {"add": ["x"] * 1000}, b"{", b"", b"\xff",
        {"note": "x" * (2 << 20)},
    ):  # fmt: skip
        assert ui_server.post(paths, wrong).refusal()
    assert "is a text" in ui_server.post(paths, {"add": [1]}).refusal()
    assert paths.notes.read_bytes() == kept
    paths.notes.write_bytes(b"{torn")
    assert "mend it by hand" in ui_server.post(paths, {"add": ["x"]}).refusal()
    assert paths.notes.read_bytes() == b"{torn"


def test_what_no_page_asks_is_refused_in_one_line(ui_server: Server, root: Path) -> None:
    own = run_id(record(root))
    assert "no id" in ui_server.get("/api/page", ids="../x").refusal()
    assert "no id" in ui_server.get("/run/..").refusal()
    assert ui_server.get("/api/page", ids="0" * 16).status == 404
    assert "1 to 300" in ui_server.get("/api/page").refusal()
    many = ",".join(f"{number:016x}" for number in range(1000))
    assert "1 to 300" in ui_server.get("/compare", ids=many).refusal()
    assert "1 to 50" in ui_server.get("/api/sparks", ids=many[: 17 * 51]).refusal()
    assert ui_server.get("/api/curves", ids=own, after=10**14).status == 200
    assert "whole number" in ui_server.get("/api/curves", ids=own, after="9" * 30).refusal()
    assert "give one a run" in ui_server.get("/api/curves", ids=own, after="1,2").refusal()
    assert "200" in ui_server.get("/api/rows", limit=1000).refusal()
    assert "moment" in ui_server.get("/api/rows", until="nan").refusal()


def test_an_address_that_is_opened_gets_a_page_whatever_is_wrong_with_it(
    ui_server: Server, root: Path
) -> None:
    record(root)
    for path, status in {
        "/run/xyz": 400,
        f"/run/{'0' * 16}": 404,
        "/compare": 400,
        "/nope": 404,
    }.items():
        found = ui_server.get(path, {"accept": "text/html,*/*;q=0.8"})
        assert found.status == status
        assert found.headers["content-type"].startswith("text/html")
        assert "'nonce-" in found.headers["content-security-policy"]
        assert ui_server.get(path, {"accept": "*/*"}).refusal()
    assert ui_server.get("/api/page", {"accept": "text/html"}, ids="x").refusal()
