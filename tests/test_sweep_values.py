"""What stands after the ``=`` of an option of a sweep: lists, ranges, quotes and brackets."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from thexp_pl.errors import UsageError
from thexp_pl.sweeps.values import joined, read_values


def read(text: str) -> list[str]:
    return list(read_values("name", text))


def refusal(text: str) -> str:
    with pytest.raises(UsageError) as caught:
        read(text)
    line = str(caught.value)
    assert "\n" not in line
    assert line.startswith("--name=")
    return line


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("0.1,0.01", ["0.1", "0.01"]),
        ("0.1, 0.01 ", ["0.1", "0.01"]),
        ("adam", ["adam"]),
        ("(1,5),(1,3)", ["(1,5)", "(1,3)"]),
        ("[1,[2,3]],[4]", ["[1,[2,3]]", "[4]"]),
        ('{"lr": 0.1, "on": true},{}', ['{"lr": 0.1, "on": true}', "{}"]),
        ("['a]', 'b,'],x", ["['a]', 'b,']", "x"]),
        (r'["a\"]",1],x', [r'["a\"]",1]', "x"]),
        ('"a,b"', ["a,b"]),
        ("'a,b',c", ["a,b", "c"]),
        ("'it''s',\"a\"\"b\"", ["it's", 'a"b']),
        ("it's,fine", ["it's", "fine"]),
        ('"a"b,c', ['"a"b', "c"]),
        ('"",x', ["", "x"]),
        ("../data,a..b", ["../data", "a..b"]),
        ('"0..4"', ["0..4"]),
        ("-1,--x", ["-1", "--x"]),
        ("手写,数字", ["手写", "数字"]),
    ],
)
def test_commas_at_the_top_separate_values(text: str, values: list[str]) -> None:
    assert read(text) == values


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("0..4", ["0", "1", "2", "3", "4"]),
        ("3..3", ["3"]),
        ("-2..1", ["-2", "-1", "0", "1"]),
        ("0..10..5", ["0", "5", "10"]),
        ("0..9..5", ["0", "5"]),
        ("4..0..-2", ["4", "2", "0"]),
        ("0..2,7,10..11", ["0", "1", "2", "7", "10", "11"]),
    ],
)
def test_a_range_is_the_whole_numbers_with_both_ends(text: str, values: list[str]) -> None:
    assert read(text) == values


def test_a_long_range_is_counted_and_indexed_without_being_made() -> None:
    values = read_values("seed", "0..999999999999,x")
    assert len(values) == 10**12 + 1
    assert (values[0], values[10**12 - 1], values[-1]) == ("0", "999999999999", "x")
    assert values[1:3] == ["1", "2"]
    with pytest.raises(IndexError):
        values[10**12 + 1]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "a value is empty"),
        (" ", "a value is empty"),
        ("1,,2", "a value is empty"),
        ("1,", "a value is empty"),
        ("(1,2", "the ( at character 1 is not closed"),
        ("a,[1,(2]", "the [ at character 3 is not closed"),
        ("a,'b", "the quote ' at character 3 is not closed"),
        ("4..0", "holds nothing; give a negative step"),
        ("0..4..-1", "holds nothing; leave the minus"),
        ("0..4..0", "has the step 0"),
        ("0..1000000000000000", "is too large"),
        ("0.001..0.1", "is for a search"),
        ("1e-4..1e-1:log", "is for a search"),
        ("1..8:log", "is for a search"),
        ("1..5..2..3", "'1..5..2..3' is no range, which has two finite ends"),
        ("nan..0.9", "is no range"),
        ("0.1..-INF", "is no range"),
        ("0.1..0.9:log..2", "is no range"),
        ("a,1..", "'1..' is no range"),
        ("\x1b[31m,", "\\x1b"),
    ],
)
def test_what_cannot_be_meant_is_refused_in_one_line(text: str, why: str) -> None:
    line = refusal(text)
    assert why in line
    assert "\x1b" not in line


@given(st.lists(st.text(), min_size=1))
@example(["0..4"])
@example(['"', "'", ",", "(", "a,b", " ", ""])
def test_every_list_of_texts_comes_back_from_what_joined_writes(texts: list[str]) -> None:
    assert read(joined(texts)) == texts


@given(st.text())
def test_any_text_is_read_or_refused_in_one_line(text: str) -> None:
    line = "one"
    try:
        assert len(read_values("name", text)) >= 1
    except UsageError as error:
        line = str(error)
    assert len(line.splitlines()) == 1
