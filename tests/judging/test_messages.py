"""Conversations in the form of the chat protocol."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mmdu_analysis.judging.messages import question_content


@given(st.lists(st.text(alphabet="ab \n", max_size=5), min_size=1, max_size=6), st.integers(0, 7))
def test_every_picture_and_every_character_is_sent_once(pieces, n_images):
    """Placeholders without a picture vanish, pictures without a placeholder come first."""
    images = list(range(1, n_images + 1))
    content = question_content("<ImageHere>".join(pieces), images, lambda image: [image])
    if isinstance(content, str):
        assert not n_images
        assert content == "".join(pieces)
        return
    assert [part[0] for part in content if isinstance(part, list)] == images[: max(len(pieces) - 1, n_images)]
    said_here = "".join(part["text"] for part in content if isinstance(part, dict))
    spare = max(0, n_images - len(pieces) + 1)
    assert said_here == "".join(f"Image{n}: \n" for n in images[:spare]) + "".join(pieces)
