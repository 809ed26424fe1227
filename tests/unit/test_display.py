"""Displays: deterministic, escaped, and the same content as text."""

from __future__ import annotations

import pandas as pd

from workbook import display

FRAME = pd.DataFrame(
    [
        {
            "name": "a",
            "open": True,
            "ports": ["80", "443"],
            "count": 2,
            "nothing": None,
            "tags": {"x": 1},
            "vpc_id": "vpc-1",
            "group_ids": ["sg"],
        },
        {
            "name": "<b>",
            "open": False,
            "ports": [],
            "count": 10,
            "nothing": "",
            "tags": {},
            "vpc_id": "vpc-2",
            "group_ids": [],
        },
    ]
)


def test_identifiers_and_dictionaries_are_left_out() -> None:
    assert display.readable_columns(FRAME) == ["name", "open", "ports", "count", "nothing"]


def test_a_table_says_the_same_in_html_and_in_text() -> None:
    shown = display.table(FRAME, "Things")
    assert shown.text.splitlines() == [
        "Things (2)",
        "  name  open  ports  count  nothing",
        "  a     yes   80     2      –",
        "              443",
        "  <b>   no    –      10     –",
    ]
    assert "<caption>Things (2)</caption>" in shown.html
    assert "<div>80</div><div>443</div>" in shown.html
    assert "&lt;b&gt;" in shown.html and "<b>" not in shown.html
    assert shown.html == display.table(FRAME.copy(), "Things").html


def test_marks_add_to_the_text_and_do_not_replace_it() -> None:
    shown = display.table(FRAME, "Things", ["name"], marks={"name": {"a": "good"}})
    assert '<td class="s mark good">a</td>' in shown.html


def test_an_empty_table_says_so() -> None:
    assert display.table(FRAME.iloc[:0], "Things").text == "Things: none."


def test_a_stack_includes_the_style_once() -> None:
    shown = display.stack(display.note("one"), display.fold("more", display.note("two")))
    assert shown.html.count("<style>") == 1
    assert shown.text == "one\n\nmore\ntwo"


def test_the_common_name_prefix_is_shown_as_an_ellipsis() -> None:
    frame = pd.DataFrame(
        {
            "name": ["alloy-dev-x-vpc", "alloy-dev-x", "arn:aws:s3:::alloy-dev-x-data"],
            "subnets": [["alloy-dev-x-a"], [], []],
        }
    )
    shown = display.table(frame, "Names", prefix="alloy-dev-x")
    assert [line.split()[0] for line in shown.text.splitlines()[2:]] == [
        "…-vpc",
        "alloy-dev-x",
        "arn:aws:s3:::alloy-dev-x-data",
    ]
    assert '<td class="s">…-a</td>' in shown.html


def test_numpy_booleans_are_yes_and_no() -> None:
    frame = pd.DataFrame(
        {"name": ["a"], "on": pd.array([True], dtype="boolean"), "count": pd.array([None], dtype="Int64")}
    )
    assert display.table(frame, "T").text.splitlines()[-1].split() == ["a", "yes", "–"]
    assert display.table(frame.astype({"on": "bool"}), "T").text.splitlines()[-1].split() == ["a", "yes", "–"]


def test_a_long_word_may_break_and_a_short_one_may_not() -> None:
    arn = "arn:aws:iam::123456789012:role/alloy-dev-take-home-ecs-task-role"
    shown = display.table(pd.DataFrame({"arns": [arn], "zone": ["us-east-1a"]}), "T", ["arns", "zone"])
    assert "role/<wbr>alloy-dev" in shown.html and '<td class="s">us-east-1a</td>' in shown.html
    assert arn[:59] in shown.text
