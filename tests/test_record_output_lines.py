"""What remains visible of a text that draws itself again."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thexp_pl.record.output.cells import MAX_LINE
from thexp_pl.record.output.lines import WINDOW, VisibleLines

CONTROLS = [
    *(
        "\n",
        "\r",
        "\b",
        "\t",
        "\v",
        "\x07",
        "\x1b",
        "\x9b",
        "[",
        "]",
        "\\",
        "?",
        ";",
        "0",
        "1",
        "2",
    ),
    *("\x1b[A", "\x1b[2A", "\x1b[B", "\x1b[3C", "\x1b[D", "\x1b[E", "\x1b[F", "\x1b[4G", "\x1bM"),
    *("\x1b[K", "\x1b[1K", "\x1b[2K", "\x1b[J", "\x1b[2J", "\x1b[H", "\x1b[1;31m", "\x1b(B"),
    *("\x1b[?1049h", "\x1b[?1049l", "\x1b]0;title\x07", "\x1b]8;;url\x1b\\", "A", "K", "J", "m"),
]
PIECES = st.lists(st.sampled_from(CONTROLS) | st.text("ab 训é\u0301👩\u200d❤\ufe0f", max_size=4))
PLAIN = st.text(st.characters(exclude_categories=["Cc"]) | st.sampled_from("\n\t"))


def seen(*pieces: str) -> str:
    """Give what remains visible of some pieces of text."""
    ended: list[str] = []
    lines = VisibleLines(lambda line: ended.append(line.shown))
    for piece in pieces:
        lines.feed(piece)
        assert 1 <= len(lines.open_lines()) <= WINDOW
    return "\n".join([*ended, *(line.shown for line in lines.open_lines())])


@given(PLAIN)
def test_a_text_without_control_characters_comes_out_unchanged(text: str) -> None:
    assert seen(text) == text


@given(PIECES, st.data())
def test_where_a_text_is_cut_into_pieces_makes_no_difference(
    pieces: list[str], data: st.DataObject
) -> None:
    text = "".join(pieces)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=5)))
    parts = [text[a:b] for a, b in itertools.pairwise([0, *cuts, len(text)])]
    assert seen(text) == seen(*parts) == seen(*text)


@given(PIECES)
def test_no_control_character_but_the_tab_remains(pieces: list[str]) -> None:
    lines = seen(*pieces).split("\n")
    assert all(char >= " " or char == "\t" for line in lines for char in line)


@pytest.mark.parametrize(
    ("text", "visible"),
    [
        # a carriage return
        (" 10%|#   |\r100%|####|", "100%|####|"),
        ("long text\rab", "abng text"),
        ("windows\r\nlines\r\n", "windows\nlines\n"),
        ("bar 1/2\r       \rnext\n", "next\n"),
        ("loss 1.50\b\b25\n", "loss 1.25\n"),
        # erasing
        ("long text\rab\x1b[K\n", "ab\n"),
        ("long text\r\x1b[2Kab\n", "ab\n"),
        ("text\x1b[2Kab\n", "    ab\n"),
        ("abcdef\x1b[3D\x1b[1Kx\n", "   xef\n"),
        ("a\nb\nc\n\x1b[2A\x1b[J", "a\n"),
        ("a\nb\x1b[2J\x1b[Hc", "a\nb\nc"),
        # moving
        ("a\nb\nc\x1b[2A\rX\x1b[1BY\n", "X\nbY\nc"),
        ("a\nb\n\x1b[2FX", "X\nb"),
        ("a\x1b[99Ab\x1b[99Bc", "abc"),
        ("abc\x1b[2GX\x1b[10GY", "aXc      Y"),
        ("one\ntwo\x1bM!", "one!\ntwo"),
        ("page\fnext\vlast", "page\nnext\nlast"),
        # colours, titles, links, the cursor's look
        ("\x1b[1;38;5;9mred\x1b[0m \x1b]0;title\x07\x1b[?25llast\x1b(B", "red last"),
        ("\x1b]8;id=1;https://x\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x9b31mred\x07", "red"),
        ("a\x1b", "a"),
        ("a\x1b]0;no end\nb", "a]0;no end\nb"),
        # the alternate screen
        ("a\x1b[?1049h\x1b[Hfull screen\n\x1b[?1049lb", "ab"),
        # wide characters and marks
        ("训练 10%\rab", "ab练 10%"),
        ("训练\rx", "x 练"),
        ("训练\x1b[1Dx", "训 x"),
        ("训练 9\r训练 10", "训练 10"),
        ("e\u0301a\rx", "xa"),
        ("a\tb\r12345678c", "12345678c"),
        ("ab\tc\rxyz", "xyz     c"),
    ],
)
def test_what_was_drawn_over_is_gone(text: str, visible: str) -> None:
    assert seen(text) == visible


def test_several_bars_keep_their_last_states() -> None:
    def draw(row: int, text: str) -> str:
        return "\n" * row + f"\r{text}\x1b[K" + "\x1b[A" * row

    steps = [draw(row, f"bar {row}: {step}/10") for step in range(11) for row in range(3)]
    assert seen(*steps) == "bar 0: 10/10\nbar 1: 10/10\nbar 2: 10/10"


def test_only_the_last_lines_can_be_drawn_again() -> None:
    text = "".join(f"{number}\n" for number in range(150))
    lines = seen(text, "\x1b[1000A\rfirst").split("\n")
    assert lines == [*map(str, range(51)), "first", *map(str, range(52, 150))]


def test_a_line_that_never_ends_is_cut() -> None:
    ended: list[str] = []
    lines = VisibleLines(lambda line: ended.append(line.shown))
    for _ in range(100):
        lines.feed("é" * 100_000)
    lines.feed("\r" + "ab\u0301" * 100_000 + "\x1b[99999999999C!")
    (line,) = lines.open_lines()
    assert len(line.shown) == MAX_LINE + 1
    assert line.shown.startswith("ab\u0301ab\u0301")


def test_marks_without_end_on_one_character_take_no_more_room() -> None:
    assert len(seen("a\r" + "\u0301" * 1_000_000)) < 100
