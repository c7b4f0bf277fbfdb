"""The query language, against plain Python over the same runs."""

from __future__ import annotations

import contextlib
import os
import sqlite3

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from query_helpers import (
    AGGREGATES,
    METRICS,
    NUMBERS,
    PARAMS,
    STATUSES,
    TEXTS,
    VALUES,
    make_store,
    means,
)

from thexp_pl.errors import QueryError
from thexp_pl.runs.index import Index
from thexp_pl.runs.index.schema import make_tables
from thexp_pl.runs.query import compile_query, compile_sort

FUZZ = int(os.environ.get("THEXP_PL_FUZZ", "300"))  # examples of each property


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Index:
    """Give the index of runs as different as can be."""
    root = tmp_path_factory.mktemp("store")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("THEXP_HOME", str(tmp_path_factory.mktemp("home")))
        patch.chdir(root)
        make_store(root / "experiment")
        index = Index([root / "experiment"])
        index.refresh()
    return index


def ask(store: Index, query: str) -> list[str]:
    condition = compile_query(query)
    return [row.key for row in store.select(condition.sql, condition.values)]


# -- any query means the same runs as plain Python ---------------------------------------------

quoted = st.sampled_from([*TEXTS, "a", "手"]).map(repr)
numeric = st.sampled_from([*NUMBERS, 2, 1e-9]).map(repr) | st.sampled_from(["inf", "-inf"])
param_names = st.sampled_from(PARAMS).map(
    lambda name: f"params.{name}" if name.replace(".", "").isidentifier() else f"params[{name!r}]"
)
metric_names = st.builds(
    lambda name, aggregate: f"metrics[{name!r}]{aggregate}",
    st.sampled_from(METRICS),
    st.sampled_from(["", *(f".{one}" for one in AGGREGATES)]),
)
text_names = st.sampled_from(["experiment", "key", "command", "parent", "root", "damage", "host"])
number_names = metric_names | st.sampled_from(["seconds", "started"])
order = st.sampled_from(["<", "<=", ">", ">="])
equal = st.sampled_from(["==", "!="])
within = st.sampled_from(["in", "not in"])


def written(*parts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.tuples(*parts).map(" ".join)


def lists(values: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.lists(values, min_size=1, max_size=4).map(lambda found: f"[{', '.join(found)}]")


anything = st.sampled_from(VALUES).map(repr)
leaves = st.one_of(
    written(param_names, equal, anything),
    written(param_names, order, quoted | numeric),
    written(quoted | numeric, order, param_names, order, quoted | numeric),
    written(param_names, equal | order, param_names | metric_names | text_names),
    written(param_names, within, lists(anything)),
    written(quoted | numeric | st.sampled_from(["True", "False"]), within, param_names),
    written(number_names, equal | order, numeric),
    written(numeric, equal | order, number_names),
    written(number_names, equal | order, number_names),
    written(number_names, within, lists(numeric)),
    written(text_names, equal | order, quoted),
    written(text_names, equal | order, text_names),
    written(text_names, within, lists(quoted)),
    written(quoted, within, text_names | st.sampled_from(["tags", "notes"])),
    written(st.just("status"), equal, st.sampled_from(STATUSES).map(repr)),
    written(
        param_names | number_names | text_names | st.sampled_from(["tags", "notes"]),
        st.sampled_from(["== None", "!= None", "is None", "is not None"]),
    ),
    param_names | metric_names | text_names | st.sampled_from(["tags", "notes", "seconds"]),
    st.builds(
        lambda name, call, text: f"{name}.{call}({text})",
        param_names | text_names,
        st.sampled_from(["startswith", "endswith"]),
        quoted,
    ),
    st.builds(
        lambda name, pattern: f"matches({name}, {pattern!r})",
        param_names | text_names | st.sampled_from(["tags", "notes"]),
        st.sampled_from(["", "a", "^a", "手.", "b$", "[0-9]+"]),
    ),
)
queries = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.builds(lambda one: f"not ({one})", inner),
        st.builds(
            lambda ones, word: f" {word} ".join(f"({one})" for one in ones),
            st.lists(inner, min_size=2, max_size=3),
            st.sampled_from(["and", "or"]),
        ),
    ),
    max_leaves=5,
)


@settings(max_examples=FUZZ, suppress_health_check=list(HealthCheck))
@given(query=queries)
def test_a_query_means_the_runs_that_plain_python_says(store: Index, query: str) -> None:
    expected = [row.key for row in store.select() if means(query, row)]
    assert ask(store, query) == expected


@settings(max_examples=FUZZ, suppress_health_check=list(HealthCheck))
@given(query=queries)
def test_a_query_and_its_opposite_share_the_runs_between_them(store: Index, query: str) -> None:
    assert sorted(ask(store, query) + ask(store, f"not ({query})")) == sorted(
        row.key for row in store.select()
    )


# -- sorting -----------------------------------------------------------------------------------


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize(
    "name", ["metrics.val/acc.max", "params.lr", "seconds", "started", "age", "parent", "root"]
)
def test_runs_without_a_value_come_last_in_either_direction(
    store: Index, name: str, reverse: bool
) -> None:
    from thexp_pl.runs.columns import reader_of
    from thexp_pl.runs.flat import flat

    sort = compile_sort(name, reverse=reverse)
    rows = store.select("", sort.values, order=sort.sql)
    assert len(rows) == len(store.select())
    read = reader_of(name)
    values = [read(row, flat(row.params)) for row in rows]
    nothing = (None, "") if name == "parent" else (None,)
    known = [one for one in values if one not in nothing and one == one]
    assert values[: len(known)] == known
    numbers = [float(one) for one in known if isinstance(one, int | float)]
    assert numbers == sorted(numbers, reverse=reverse)


def test_runs_that_are_equal_are_sorted_by_their_start(store: Index) -> None:
    sort = compile_sort("status")
    rows = store.select("", sort.values, order=sort.sql)
    told = [(row.status, row.started, row.key) for row in rows]
    assert told == sorted(told)


def test_a_sort_by_what_is_no_name_is_refused() -> None:
    for text in ("params", "metrics", "lr", "1", "status == 'a'", "", "statu", "params.a b", "(("):
        with pytest.raises(QueryError):
            compile_sort(text)


# -- times -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "days"),
    [
        ("started == '2026-01-05'", [5]),
        ("started < '2026-01-03'", [1, 2]),
        ("started <= '2026-01-03'", [1, 2, 3]),
        ("'2026-01-26' < started < '2026-02-01'", [27, 28]),
        ("started >= '2026-01-27' and started < '2026-02-01'", [27, 28]),
        ("started in ['2026-01-05', '2026-01-07']", [5, 7]),
        ("started == '2026-01-05 06:11'", [5]),
        ("started == '2026-01-05 06:12'", []),
        ("started == '2026-01-05T06:11:04+00:00'", [5]),
        ("started == '2026-01-05T06:11:04Z'", [5]),
        ("started == '2026-01-05 07:11Z'", []),
        ("'2026-01-05 06:11:04' < started < '2026-01-06'", [5]),
    ],
)
def test_a_day_and_a_minute_are_stretches_of_time(
    store: Index, query: str, days: list[int]
) -> None:
    found = ask(store, f"({query}) and experiment != 'first'")
    assert sorted({int(key[6:8]) for key in found}) == days


def test_age_and_seconds_are_compared_with_spans(store: Index) -> None:
    everything = ask(store, "key")
    old = ask(store, "experiment != 'first'")
    assert ask(store, "age < '2h'") == [key for key in everything if key not in old]
    assert ask(store, "age > '1w'") == ask(store, "not age <= 604800") == old
    assert ask(store, "seconds == '2h'") == ask(store, "seconds == 7200") != []
    assert ask(store, "seconds in ['90s', '2h']") == ask(store, "seconds >= 90")


def test_the_time_zone_is_the_local_one(store: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    before = len(ask(store, "started < '2026-01-05 06:00'"))
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        assert len(ask(store, "started < '2026-01-05 15:00'")) == before
    finally:
        monkeypatch.undo()
        time.tzset()


# -- speed ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "query",
    [
        "metrics.loss.max > 0.9",
        "params.lr < 0.1 or not metrics['val/acc'] < 0.5",
        "metrics.loss.max > metrics.loss.last",
        "params.lr in [1, 2, 'a']",
        "params['odd name'].startswith('a')",
    ],
)
def test_only_the_values_of_the_names_that_are_asked_for_are_read(query: str) -> None:
    condition, sort = compile_query(query), compile_sort("metrics.loss.max", reverse=True)
    with contextlib.closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        make_tables(connection)
        sql = f"SELECT id FROM runs WHERE {condition.sql} ORDER BY {sort.sql}"
        plan = connection.execute(f"EXPLAIN QUERY PLAN {sql}", condition.values + sort.values)
        steps = [step for *_, step in plan]
    read = [step for step in steps if step.startswith(("SEARCH", "SCAN"))]
    values = [step for step in read if step.split()[1] in ("a", "b", "params", "metrics")]
    assert values
    assert all("USING PRIMARY KEY (name=?" in step for step in values)
    assert not any("AUTOMATIC" in step for step in steps)
