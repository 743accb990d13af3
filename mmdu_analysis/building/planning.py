"""The requests for one dialogue, and the joining of their replies to it."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from mmdu_analysis.building.combinations import Combination
from mmdu_analysis.building.joining import Pair, order_pairs, shift_pair
from mmdu_analysis.building.prompting import Prompts

_MOST_PAIRS = 6
"""Multi-image pairs per request: models truncate longer lists or repeat themselves."""
_LONGEST_TEXT = 6_000
NO_FACTS = "(none)"


@dataclass(frozen=True)
class Step:
    """One request.

    Attributes
    ----------
    number : int
        From 1, within the dialogue.
    kind : {"facts", "single", "multi"}
        Kind of the request.
    part : int
        The combination of the dialogue, from 0.
    image : int
        The image within the combination, from 1; 0 for several.
    n : int
        Number of requested pairs.
    """

    number: int
    kind: Literal["facts", "single", "multi"]
    part: int
    image: int
    n: int = 0


class Plan:
    """The requests of one dialogue.

    Parameters
    ----------
    parts : sequence of Combination
        Those that are joined into the dialogue.
    single_pairs : int
        Pairs about each image.
    multi_share : float
        Share of multi-image questions, at least.

    Attributes
    ----------
    id : str
        Of the dialogue: the combinations' ids joined with ``+``.
    steps : tuple of Step
        In the order in which they are asked.
    """

    def __init__(self, parts: Sequence[Combination], single_pairs: int, multi_share: float) -> None:
        self.parts = tuple(parts)
        self.id = "+".join(part.id for part in parts)
        self.synthetic = any(part.synthetic for part in parts)
        wanted: list[tuple[Any, ...]] = []
        for index, part in enumerate(parts):
            images = range(1, len(part.items) + 1)
            wanted += [("facts", index, image) for image in images]
            wanted += [("single", index, image, single_pairs) for image in images]
            left = count_multi(single_pairs * len(part.items), multi_share)
            wanted += [("multi", index, 0, min(_MOST_PAIRS, left - at)) for at in range(0, left, _MOST_PAIRS)]
        self.steps = tuple(Step(number, *values) for number, values in enumerate(wanted, 1))

    def items(self, step: Step) -> tuple[dict[str, str], ...]:
        """Return the items that a request is about."""
        chosen = self.parts[step.part].items
        return (chosen[step.image - 1],) if step.image else chosen

    def all_items(self) -> list[dict[str, str]]:
        """Return the items of the whole dialogue, in the order of its images."""
        return [item for part in self.parts for item in part.items]

    def prompt(self, step: Step, prompts: Prompts, done: Mapping[int, Mapping[str, Any]]) -> str:
        """Fill in the prompt of a request from the replies so far.

        Parameters
        ----------
        step : Step
            The request.
        prompts : Prompts
            Their templates.
        done : mapping
            Number of a step to its entry, of those with a usable reply.

        Returns
        -------
        str
            The text for the model, without the pictures.
        """
        if step.kind == "facts":
            return prompts.fill("facts", {"text": item_text(self.items(step)[0])})
        values: dict[str, object] = {"n": step.n, "image": step.image}
        if step.kind == "single":
            return prompts.fill("single", values | {"facts": self._facts(step.part, step.image, done)})
        images = range(1, len(self.parts[step.part].items) + 1)
        facts = "\n".join(f"Image{image}:\n{self._facts(step.part, image, done)}" for image in images)
        before = "\n".join(f"- {question}" for question in self.questions(step, done))
        values |= {"n_images": len(images), "facts": facts, "questions": before or NO_FACTS}
        return prompts.fill("multi", values)

    def _facts(self, part: int, image: int, done: Mapping[int, Mapping[str, Any]]) -> str:
        """Return the facts of an image; its own texts if the model listed none."""
        step = next(
            step for step in self.steps if (step.kind, step.part, step.image) == ("facts", part, image)
        )
        facts = done.get(step.number, {}).get("facts")
        if facts:
            return "\n".join(f"- {fact}" for fact in facts)
        return item_text(self.parts[part].items[image - 1])

    def questions(self, step: Step, done: Mapping[int, Mapping[str, Any]]) -> list[str]:
        """Return the questions about the same combination from other steps."""
        others = [other for other in self.steps if other.part == step.part and other.number != step.number]
        return [question for other in others for question, _ in done.get(other.number, {}).get("pairs", ())]

    def is_complete(self, done: Mapping[int, Mapping[str, Any]]) -> bool:
        """Return whether all pairs of the dialogue are complete."""
        return all(step.number in done for step in self.steps if step.kind != "facts")

    def pairs(self, done: Mapping[int, Mapping[str, Any]]) -> list[Pair]:
        """Join the pairs of all steps into one dialogue; later combinations' image numbers are shifted."""
        joined: list[Pair] = []
        before = 0
        for index, part in enumerate(self.parts):
            found: dict[str, list[list[Pair]]] = {"single": [], "multi": []}
            for step in self.steps:
                if step.part == index and step.kind != "facts":
                    found[step.kind].append(self._pairs_of(step, done[step.number]))
            multi = [pair for pairs in found["multi"] for pair in pairs]
            joined += [shift_pair(pair, before) for pair in order_pairs(found["single"], multi)]
            before += len(part.items)
        return joined

    def _pairs_of(self, step: Step, entry: Mapping[str, Any]) -> list[Pair]:
        pairs = []
        for question, answer in entry["pairs"]:
            pair = Pair(question, answer)
            chosen = self.parts[step.part].items
            items = [chosen[image - 1]["id"] for image in sorted(pair.images)]
            origin = {"step": step.number, "items": items, "prompt": entry["prompt"], "model": entry["model"]}
            pairs.append(Pair(question, answer, origin))
        return pairs


def count_multi(n_single: int, share: float) -> int:
    """Return how many multi-image questions make up at least a share of all.

    Examples
    --------
    >>> from mmdu_analysis.building.planning import count_multi
    >>> count_multi(4, 0.6)
    6
    """
    return max(1, math.ceil(round(n_single * share / (1 - share), 9)))


def item_text(item: Mapping[str, str]) -> str:
    """Return the texts of an item as they are shown to the model."""
    named = (("Title", "title"), ("Caption", "caption"), ("Tags", "tags"), ("Text", "text"))
    lines = [f"{label}: {item[name]}" for label, name in named if item.get(name, "").strip()]
    text = re.sub(r"\s*\n\s*", "\n", "\n".join(lines))
    return text[:_LONGEST_TEXT] or NO_FACTS
