"""A simulated model that writes dialogues, to try the commands without a real one.

Run it with ``python -m mmdu_analysis.building.stand_in``. Its texts are marked as synthetic.
"""

from __future__ import annotations

import hashlib
import json
import random
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from mmdu_analysis.judging import stand_in as judging_stand_in

_SINGLE = re.compile(r"Write exactly (\d+) question-answer pairs about Image(\d+)")
_MULTI = re.compile(r"Write exactly (\d+) question-answer pairs about several of Image1 to Image(\d+)")
_FACTS = "List the key facts"
_WORDS = (
    "shape colour surface outline background scale detail light structure position edge pattern height depth "
    "material frame shadow symmetry distance contrast"
).split()
_SENTENCES = (
    "This synthetic answer describes the {0} and the {1} of {2}; it was written without looking at the pictures.",
    "This generated sentence mentions the {0} of {2} and says nothing about its {1}.",
    "The {0} of {2} is named here only so that the text has the length of a real answer.",
    "A person would compare the {0} and the {1} of {2}; this text only imitates the length of such an answer.",
)


@contextmanager
def stand_in(port: int = 0) -> Iterator[str]:
    """Run a simulated writer, model and judge in a thread.

    Parameters
    ----------
    port : int, default 0
        On 127.0.0.1; 0 takes a free one.

    Yields
    ------
    str
        Its address, for ``base_url``.
    """
    with judging_stand_in.stand_in(port, reply=generated_reply) as url:
        yield url


def generated_reply(conversation: str, time: int = 1) -> str:
    """Generate a reply: facts or pairs where the package's prompts ask for them, else as for `mmdu answer` and `judge`.

    Parameters
    ----------
    conversation : str
        All messages, as JSON.
    time : int, default 1
        Number of the attempt, from 1.

    Returns
    -------
    str
        JSON for the prompts of `write_dialogs`.
    """
    rng = random.Random(int(hashlib.sha256(conversation.encode()).hexdigest()[:12], 16) + time)  # noqa: S311
    plain = re.sub(r"(?:\\n|\s)+", " ", conversation)
    if found := _MULTI.search(plain):
        return _pairs(rng, int(found[1]), list(range(1, int(found[2]) + 1)), several=True)
    if found := _SINGLE.search(plain):
        return _pairs(rng, int(found[1]), [int(found[2])], several=False)
    if _FACTS in plain:
        return json.dumps([f"A synthetic fact about the {word}." for word in rng.sample(_WORDS, 3)])
    return judging_stand_in.simulated_reply(conversation, time)


def _pairs(rng: random.Random, n: int, images: list[int], *, several: bool) -> str:
    found: list[dict[str, Any]] = []
    for number in range(1, n + 1):
        chosen = sorted(rng.sample(images, rng.randint(2, min(3, len(images))))) if several else images
        names = " and ".join(f"Image{image}" for image in chosen)
        first, second = rng.sample(_WORDS, 2)
        verb = "differ between" if several else "look in"
        question = f"How do the {first} and the {second} {verb} {names}? (synthetic question {rng.randint(1, 10**6)}-{number})"
        sentences = [
            rng.choice(_SENTENCES).format(*rng.sample(_WORDS, 2), f"Image{rng.choice(chosen)}")
            for _ in range(rng.randint(6, 14))
        ]
        found.append({"question": question, "answer": " ".join(sentences)})
    return json.dumps(found)


if __name__ == "__main__":
    judging_stand_in.main(generated_reply)
