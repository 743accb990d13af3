"""Texts of the synthetic sample: sentences about a topic with a known number of tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

TOPICS = {
    "gardens": "garden flower tree path fountain bench hedge rose pond statue",
    "buildings": "tower bridge castle temple palace church museum roof window door",
    "animals": "horse bird dog cat lion bear wolf fish goat tiger",
    "food": "bread cheese fruit soup rice pasta cake salad coffee wine",
    "transport": "train plane boat car bicycle ship truck bus station road",
    "landscape": "mountain river forest desert valley lake hill beach snow cloud",
    "art": "painting sculpture portrait canvas mask drawing gallery poster frame carpet",
    "sport": "team player ball stadium coach race goal match crowd medal",
}
ADJECTIVES = (
    "bright small large quiet red green modern simple dark wide narrow famous tall plain heavy".split()
)

_SENTENCES = (
    "The {n} is quite {a}",
    "Here we see the {a} {n}",
    "There is the {a} {n} beside it",
    "The {a} {n} stands near the {b} {m}",
    "The {n} and the {m} share the same colors",
    "In this image the {n} looks {a} and well kept",
    "The light falls on the {a} {n} from the left side",
    "Both images show the {n} but only one of them is {a}",
    "The {a} {n} suggests some place where people come to rest and talk",
    "While the {n} is {a} the other one has the same shape and color",
    "Seen from close by the {n} has many fine details that make it look {a}",
    "We can compare the {a} {n} with the {m} because both of them were shown before",
)
"""Sentences of 5 to 16 words; each word and the full stop is one token of o200k_base."""
_SHORTEST = 6
_SINGLE = (
    "How does the {a} {n} look in Image{i}?",
    "What is near the {a} {n} in Image{i}?",
    "Where is the {a} {n} placed in Image{i}?",
)
_NONE = ("What makes the {a} {n} so {b}?", "Why do people like the {n} today?")
_SEVERAL = ("How does the {a} {n} look in {names}?", "What is near the {a} {n} in {names}?")
_LABEL_TOKENS, _NONE_TOKENS, _SINGLE_TOKENS, _NEXT_NAME_TOKENS = 4, 8, 10, 3


def write_question(
    rng: np.random.Generator, nouns: list[str], new: list[int], referenced: list[int]
) -> tuple[str, int]:
    """Write a question about some images, after the labels of the new ones.

    Parameters
    ----------
    rng : numpy.random.Generator
        Random number generator.
    nouns : list of str
        Words of the topic.
    new, referenced : list of int
        Images that the turn introduces, and those that the question names.

    Returns
    -------
    tuple of (str, int)
        The text, and its tokens without placeholders.
    """
    labels = "".join(f"Image{number}: <ImageHere>. " for number in new)
    words = {"a": rng.choice(ADJECTIVES), "n": rng.choice(nouns), "b": rng.choice(ADJECTIVES)}
    if not referenced:
        text, tokens = str(rng.choice(_NONE)).format(**words), _NONE_TOKENS
    elif len(referenced) == 1:
        text, tokens = str(rng.choice(_SINGLE)).format(i=referenced[0], **words), _SINGLE_TOKENS
    else:
        names = ", ".join(f"Image{number}" for number in referenced[:-1]) + f" and Image{referenced[-1]}"
        text = str(rng.choice(_SEVERAL)).format(names=names, **words)
        tokens = _SINGLE_TOKENS + _NEXT_NAME_TOKENS * (len(referenced) - 1)
    return labels + text, tokens + _LABEL_TOKENS * len(new)


def write_prose(rng: np.random.Generator, nouns: list[str], tokens: int) -> str:
    """Write sentences of exactly a number of tokens.

    Parameters
    ----------
    rng : numpy.random.Generator
        Random number generator.
    nouns : list of str
        Words of the topic.
    tokens : int
        At least 6; fewer give the words of the shortest sentence.

    Returns
    -------
    str
        Sentences, separated by spaces.
    """
    sentences = []
    longest = _SHORTEST + len(_SENTENCES) - 1
    draws = iter(rng.integers(0, 1 << 30, (tokens // _SHORTEST + 2, 5)).tolist())
    while tokens >= _SHORTEST:
        a, b, n, m, pick = next(draws)
        fitting = [
            k
            for k in range(_SHORTEST, min(longest, tokens) + 1)
            if tokens - k == 0 or tokens - k >= _SHORTEST
        ]
        size = fitting[pick % len(fitting)]
        text = _SENTENCES[size - _SHORTEST].format(
            a=ADJECTIVES[a % len(ADJECTIVES)],
            b=ADJECTIVES[b % len(ADJECTIVES)],
            n=nouns[n % len(nouns)],
            m=nouns[(n + 1 + m % (len(nouns) - 1)) % len(nouns)],
        )
        sentences.append(text + ".")
        tokens -= size
    if tokens > 1:
        sentences.append(" ".join(["Yes", "it", "is", "so"][: tokens - 1]) + ".")
    return " ".join(sentences)
