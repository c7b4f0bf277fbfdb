"""Queries that cannot be meant: each is one line, and nothing but a QueryError is raised."""

from __future__ import annotations

import ast
import os
import sqlite3
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from thexp_pl.errors import QueryError, UsageError
from thexp_pl.runs.index import schema
from thexp_pl.runs.query import check_names, compile_query, compile_sort, functions_in

FUZZ = int(os.environ.get("THEXP_PL_FUZZ", "300"))  # examples of each property


def refusal(query: str) -> str:
    with pytest.raises(QueryError) as caught:
        compile_query(query)
    message = str(caught.value)
    assert message.isprintable()
    assert len(message) < 600
    return message


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("", "the query is empty"),
        ("status = 'finished'", "equal is written =="),
        ("status == 'a' && key", "write `and`, `or`"),
        ("26-11-22-061138-k3f9", "write key == '26-11-22-061138-k3f9'"),
        ("digits", "as in experiment == 'digits'"),
        ("params.lambda == 1", "write params['lambda']"),
        ("metrics.val/acc > 1", 'metrics["val/acc"].max'),
        ("lr < 0.1", "a parameter is written params.lr"),
        ("stauts == 'failed'", "did you mean 'status'?"),
        ("status == 'finishd'", "did you mean 'finished'?"),
        ("status == finished", "there is no name 'finished'"),
        ("status.name == 'a'", "status has no parts"),
        ("params", "write params.NAME"),
        ("params == 3", "write params.NAME"),
        ("metrics.acc == nan", "metrics.NAME.nonfinite > 0"),
        ("metrics.acc > 'a'", "metrics.acc.last is a number, and 'a' is a text"),
        ("metrics.acc == True", "True is a truth value"),
        ("status == 3", "status is a text, and 3 is a number"),
        ("status < metrics.acc", "these are not compared"),
        ("params.lr < None", "compares numbers with numbers"),
        ("params.lr < True", "compares numbers with numbers"),
        ("tags == 'a'", "'x' in tags"),
        ("1 < 2", "neither side here is a name"),
        ("'a' in 'ab'", "'x' in tags"),
        ("status in 'failed'", "'x' in tags"),
        ("1 in status", "nothing can be in it"),
        ("3 in tags", "write it in quotes"),
        ("params.lr is 3", "goes with None only"),
        ("started > 'yesterday'", "write '2026-11-22'"),
        ("started == '2026-02-30'", "day is out of range"),
        ("started == '9999-12-31'", "is no moment"),
        ("age < 'x'", "write 90m, 2h, 3d or 1w"),
        ("age < seconds", "compared with a span of time"),
        ("experiment.starswith('a')", "did you mean 'startswith'?"),
        ("experiment.contains('a')", "'text' in name"),
        ("experiment.startswith(3)", "takes one text"),
        ("tags.startswith('a')", "only a text begins"),
        ("matches(experiment, '(')", "unterminated subpattern"),
        ("matches(experiment, '(?P<a>x)(?P<a>y)')", "cannot be used"),
        ("matches(seconds, 'a')", "only a text begins"),
        ("matches('a', 'b')", "takes a name and a text"),
        ("matches(experiment, 'a', flags=2)", "in order"),
        ("__import__('os').system('true')", "queries call nothing but"),
        ("print(*key)", "in order"),
        ("[key for key in tags]", "neither a name nor a value"),
        ("lambda: 1", "queries run nothing"),
        ("f'{key}' == key", "without the f"),
        ("key if status else tags", "no `if`"),
        ("params.lr == {'a': 1}", "compare its parts"),
        ("params.lr == b'a'", "no value that a run has"),
        ("params.lr == 1j", "no value that a run has"),
        ("params.lr == ...", "no value that a run has"),
        ("params['a'][0] == 1", "neither a name nor a value"),
        ("key == (status == 'a')", "join two with `and`"),
        ("key == ('a' or 'b')", "join whole comparisons"),
        ("'a'", "a value alone says nothing"),
        ("not 1", "a value alone says nothing"),
        ("-params.lr < 1", "a sign stands before a number"),
        ("params.lr == -'a'", "a sign stands before a number"),
        ("key == 'a\udcff'", "a lone surrogate"),
        ("key == '\\ud800'", "a lone surrogate"),
        ("key == '\0'", "null bytes"),
        ("(" * 300 + "key" + ")" * 300, "no expression"),
        ("not " * 3000 + "key", "nested"),
        ("a" + ".b" * 3000, "nested"),
        ("-" * 20_000 + "1", "nested"),
        (" and ".join(["key"] * 500), "more than 450"),
        ("key == '" + "a" * 60_000 + "'", "may have 50,000"),
        ("params.lr == " + "9" * 5000, "no expression"),
        ("key) or (key", "no expression"),
    ],
)
def test_what_cannot_be_meant_is_told_in_one_line(query: str, told: str) -> None:
    assert told in refusal(query)


@pytest.mark.parametrize(
    ("query", "position"),
    [
        ("lr < 1", 1),
        ("  lr < 1", 3),
        ("status == 'failed' and 手 < 1", 24),
        ("matches(notes, '手') and lr < 1", 25),
        ("status == 'failed' and\nlr < 1", 24),
        ("params.lr <", 12),
    ],
)
def test_the_message_says_where_the_fault_is(query: str, position: int) -> None:
    with pytest.raises(UsageError) as caught:
        compile_query(query)
    assert str(caught.value).endswith(f"(at character {position})")


def test_a_backslash_that_python_warns_of_is_meant_as_it_stands() -> None:
    assert compile_query(r"matches(key, '\d')").values == (r"\d",)
    assert compile_query(r"matches(key, '[[a]')").values == ("[[a]",)


# -- names that no run has ----------------------------------------------------------------------

KNOWN = {"param": {"lr", "optim.name", "optim.lr"}, "metric": {"val/acc", "loss"}}


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("params.optim.nam < 1", "no run has params.optim.nam; did you mean 'optim.name'?"),
        ("params.optim < 1", "no run has params.optim; it holds optim.lr, optim.name"),
        ("metrics.val_acc > 1", "did you mean 'val/acc'?"),
        ("metrics.loss.maxx > 1", "did you mean 'max'?"),
        ("params.zzz == None", "no run has params.zzz"),
    ],
)
def test_a_name_that_no_run_has_is_refused_with_the_near_miss(query: str, told: str) -> None:
    with pytest.raises(QueryError, match=told.replace("?", r"\?")):
        check_names(compile_query(query).names, KNOWN)


def test_names_that_some_run_has_pass_and_without_runs_all_do() -> None:
    query = "params.lr < 1 and metrics['val/acc'] > params['optim.lr'] or not params.optim.name"
    check_names(compile_query(query).names, KNOWN)
    check_names(compile_sort("metrics.val/acc.max").names, KNOWN)
    check_names(compile_query("params.anything").names, {"param": (), "metric": ()})


# -- whatever is typed ---------------------------------------------------------------------------


def carried_out(query: str) -> None:
    """Compile a query and carry it out on an empty index, or be refused."""
    refused = None
    try:
        condition = compile_query(query)
    except QueryError as error:
        refused = str(error)
    if refused is not None:
        assert refused.isprintable()
        return
    connection = sqlite3.connect(":memory:", isolation_level=None)
    try:
        schema.make_tables(connection)
        with functions_in(connection):
            connection.execute(f"SELECT id FROM runs WHERE {condition.sql}", condition.values)
    finally:
        connection.close()


_PIECES = """
    params metrics status key tags notes started age seconds . [ ] ( ) ' \" , < > == != <= in
    not and or is None True nan inf 1e999 1 -1 0x 'a' "b" matches startswith lr max \\ # ; := @
    \0 \ud800 手 { } * ** / % ~ if else lambda for async await yield f'' b''
"""
PIECES = st.sampled_from(_PIECES.split())
anything = st.text() | st.lists(PIECES, max_size=12).map(" ".join) | st.lists(PIECES).map("".join)


@settings(max_examples=FUZZ, suppress_health_check=list(HealthCheck))
@given(
    query=st.text() | st.lists(PIECES, max_size=12).map(" ".join) | st.lists(PIECES).map("".join)
)
def test_any_text_is_carried_out_or_refused(query: str) -> None:
    carried_out(query)


NODES = st.recursive(
    st.one_of(
        st.sampled_from(["params", "metrics", "status", "seconds", "tags", "age", "inf", "x"]).map(
            lambda name: ast.Name(name, ast.Load())
        ),
        st.one_of(
            st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5),
            st.binary(max_size=3), st.just(10**400), st.complex_numbers(),
        ).map(ast.Constant),
    ),
    lambda inner: st.one_of(
        st.builds(lambda one, name: ast.Attribute(one, name, ast.Load()), inner,
                  st.sampled_from(["lr", "max", "startswith", "__class__"])),
        st.builds(lambda one, other: ast.Subscript(one, other, ast.Load()), inner, inner),
        st.builds(ast.Compare, inner, st.lists(st.sampled_from(
            [ast.Eq(), ast.Lt(), ast.In(), ast.NotIn(), ast.Is(), ast.NotEq()]),
            min_size=1, max_size=1), st.lists(inner, min_size=1, max_size=1)),
        st.builds(ast.BoolOp, st.sampled_from([ast.And(), ast.Or()]),
                  st.lists(inner, min_size=2, max_size=3)),
        st.builds(ast.UnaryOp, st.sampled_from([ast.Not(), ast.USub(), ast.Invert()]), inner),
        st.builds(ast.BinOp, inner, st.sampled_from([ast.Div(), ast.BitAnd()]), inner),
        st.builds(lambda one: ast.List(one, ast.Load()), st.lists(inner, max_size=3)),
        st.builds(lambda called, given: ast.Call(called, given, []), inner,
                  st.lists(inner, max_size=2)),
    ),
    max_leaves=12,
)  # fmt: skip


@settings(max_examples=FUZZ, suppress_health_check=list(HealthCheck))
@given(node=NODES)
def test_any_expression_is_carried_out_or_refused(node: Any) -> None:
    carried_out(ast.unparse(node))


@pytest.mark.parametrize("leaf", ["tags", "params.lr", "1 not in params.x", "'a' not in notes"])
@pytest.mark.parametrize("count", [11, 12, 13, 30, 90])
def test_a_query_as_deep_as_is_taken_is_one_that_sqlite_takes(leaf: str, count: int) -> None:
    left = right = contrary = same = leaf
    for number in range(count):
        word = ("and", "or")[number % 2]
        left, right = f"({left}) {word} parent", f"parent {word} ({right})"
        contrary, same = f"parent and not ({contrary})", f"parent or ({same})"
    for query in (left, right, contrary, same, "not " * count + leaf):
        carried_out(query)
    compile_query(same)
    compile_query(f"{'not ' * 90}tags")
    if count > 12:
        with pytest.raises(QueryError, match="more than 12 levels deep; write it flatter"):
            compile_query(left)
    else:
        compile_query(left)


@pytest.mark.parametrize("count", [99, 100, 101])
def test_the_largest_query_that_is_taken_is_one_that_sqlite_takes(count: int) -> None:
    deep = "not " * count + "params.lr"
    wide = " or ".join(f"params.p{number} < 1" for number in range(2 * count))
    carried_out(f"{'not (' * 20}{wide}{')' * 20}")
    carried_out(deep)
    carried_out(f"params.lr in {list(range(4 * count))}")
    carried_out(" or ".join("tags" for _ in range(4 * count)))


def test_sorting_by_any_text_is_carried_out_or_refused() -> None:
    for text in ("params.", "metrics..max", "params.lambda", "params.a/b", "metrics.val acc", "\0"):
        try:
            sort = compile_sort(text)
        except QueryError:
            continue
        with sqlite3.connect(":memory:", isolation_level=None) as connection:
            schema.make_tables(connection)
            connection.execute(f"SELECT id FROM runs ORDER BY {sort.sql}", sort.values)
        connection.close()
