"""Filters as messages and as links."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmdu_analysis.browser.filters import FIELDS, ORDERS, Filters, from_link, to_link

TEXT = st.text(alphabet=st.characters(exclude_categories=("Cs",)), max_size=20)


@given(
    st.builds(
        Filters,
        query=TEXT,
        fields=st.sets(st.sampled_from(FIELDS), min_size=1).map(lambda s: tuple(f for f in FIELDS if f in s)),
        whole_word=st.booleans(),
        regex=st.booleans(),
        turns=st.tuples(st.integers(0, 30), st.integers(0, 30)),
        progress=st.tuples(st.floats(0, 1), st.floats(0, 1)),
        score=st.tuples(st.floats(0, 100), st.floats(0, 100)),
        model=TEXT,
        wrong=TEXT,
        points=st.floats(-100, 100),
        order=st.sampled_from(ORDERS),
    ),
    TEXT.filter(bool),
    st.integers(0, 99),
)
def test_a_link_holds_the_state(filters, dialog_id, turn):
    assert from_link(to_link(filters, dialog_id, turn)) == (filters, dialog_id, turn)


@pytest.mark.parametrize(
    "wanted",
    [
        {"turns": [1]},
        {"turns": "x"},
        {"progress": [float("nan"), 1]},
        {"score": [0, float("inf")]},
        {"order": "none"},
        {"fields": ["none"]},
        {"points": "many"},
        {"whole_word": "yes"},
    ],
)
def test_what_does_not_fit_is_no_filter(wanted):
    assert Filters.of(wanted) == Filters()


@given(st.text(max_size=200))
def test_no_link_breaks(link):
    filters, _, _ = from_link(link)
    assert filters.order in ORDERS


def test_a_dialogue_without_turns_meets_what_asks_of_dialogues_only():
    assert not Filters(turns=(0, 5), order="images", model="m").asks_of_turns()
    assert Filters(query="x").asks_of_turns()
    assert Filters(wrong="m").asks_of_turns()
