"""The digest of a roster: of what its rows state, and not of their order."""

import json

from hypothesis import given
from hypothesis import strategies as st

from worker.intake.rosters.digest import Digest

CELLS = st.none() | st.sampled_from(["", "a", "b", "é"])
ROWS = st.lists(st.tuples(st.text(max_size=2), st.dictionaries(st.sampled_from("xyz"), CELLS), CELLS), max_size=5)


def digest(rows: list[tuple[object, ...]]) -> str:
    """Return the digest of rows."""
    mine = Digest()
    for row in rows:
        mine.add(row)
    return mine.hexdigest()


@given(st.data(), ROWS)
def test_rows_in_any_order_have_one_digest(data: st.DataObject, rows: list[tuple[object, ...]]) -> None:
    """An export that is sorted otherwise states the same."""
    assert digest(data.draw(st.permutations(rows))) == digest(rows)


@given(ROWS, ROWS)
def test_only_the_same_rows_have_one_digest(one: list[tuple[object, ...]], other: list[tuple[object, ...]]) -> None:
    """Whatever else differs, be it a row more, a cell, or a row that is there twice, is another content."""
    same = _in_order(one) == _in_order(other)

    assert (digest(one) == digest(other)) == same
    assert digest([*one, ("E1", {}, None)] * 2) != digest([*one, ("E1", {}, None)])


def _in_order(rows: list[tuple[object, ...]]) -> list[str]:
    return sorted(json.dumps(row, sort_keys=True) for row in rows)
