"""What the tests of building share: written dialogues without a model, and a model that breaks rules."""

from __future__ import annotations

import hashlib
import json
import random
import re

import pandas as pd
from chat_server import said

from mmdu_analysis import building
from mmdu_analysis.building.sample import _SUBJECTS, draw_picture


def write_folder(folder, n_dialogs=2, n_turns=3, n_images=3):
    """A folder as `write_dialogs` leaves it."""
    (folder / "mmdu_pics").mkdir(parents=True)
    (folder / "run.json").write_text(json.dumps({"command": "build write"}))
    for number in range(1, n_dialogs + 1):
        items, images, pairs = [], [], []
        for image in range(1, n_images + 1):
            key = f"i{number}-{image}"
            draw_picture(10 * number + image).save(folder / "mmdu_pics" / f"{key}.png")
            images.append(f"mmdu_pics/{key}.png")
            items.append({
                "id": key, "image": f"{key}.png", "title": f"T{image}", "caption": f"caption of item {key}", "tags": "x",
                "text": "text", "source": "S", "licence": "CC0",
            })  # fmt: skip
        for turn in range(1, n_turns + 1):
            image = min(turn, n_images)
            about = f"Image{image}" if turn < n_turns else f"Image1 and Image{image}"
            pair = {
                "question": f"What is in {about}? ({turn})",
                "answer": f"An answer about {about}. ({turn})",
            }
            pairs.append(
                pair | {"step": turn, "items": [items[image - 1]["id"]], "prompt": "p-1", "model": "m"}
            )
        record = {
            "id": f"d{number}",
            "image": images,
            "pairs": pairs,
            "items": items,
            "steps": [],
            "synthetic": True,
        }
        (folder / f"d{number}.json").write_text(json.dumps(record))
    return folder


def combinations_of(folder, sizes):
    """Items with pictures, and one combination of each size; returns the file."""
    items = building.load_items(building.write_sample_items(folder, len(sizes), max(sizes)))
    rows = []
    for cluster, (key, size) in enumerate(zip(items["source"].unique(), sizes, strict=True), 1):
        chosen = items.loc[items["source"] == key, "id"].iloc[:size]
        rows += [
            (f"c{cluster:04}-01", cluster, image, name, 1.0, True) for image, name in enumerate(chosen, 1)
        ]
    names = ["combination", "cluster", "image", "id", "similarity", "synthetic"]
    return building.write_combinations(items, pd.DataFrame(rows, columns=names), folder / "clusters.jsonl")


class GoodWriter:
    """A model that keeps every rule; with `break_some`, only when it is asked again."""

    def __init__(self, break_some=False):
        self.break_some = break_some

    def dialogue(self, body):
        """The combination that a conversation is about, by the words of its items."""
        text = said(body)
        subjects = [
            subject
            for subject, words in _SUBJECTS.items()
            if any(f" {w}" in text.lower() for w in words.split())
        ]
        return " ".join(f"c{list(_SUBJECTS).index(subject) + 1:04}" for subject in subjects)

    def __call__(self, body):
        text = said({"messages": body["messages"][:1]})
        seed = int(hashlib.sha256(text.encode()).hexdigest()[:8], 16)
        if self.break_some and len(body["messages"]) == 1 and seed % 4 == 0:
            return "I can't."
        if "List the key facts" in text:
            title = re.search("Title: (.*)", text)[1]
            return json.dumps([f"Fact of {title}.", f"Number {seed}."])
        plain = " ".join(text.split())
        if found := re.search(
            r"Write exactly (\d+) question-answer pairs about several of Image1 to Image(\d+)", plain
        ):
            n, last = int(found[1]), int(found[2])
            made = []
            for number in range(n):
                first, second = sorted(random.Random(seed + number).sample(range(1, last + 1), 2))
                about = f"Image{first} and Image{second}"
                made.append(
                    {
                        "question": f"How do {about} differ? ({seed}-{number})",
                        "answer": f"{about} differ in {seed}.",
                    }
                )
            return "Here:\n```json\n" + json.dumps(made) + "\n```"
        found = re.search(r"Write exactly (\d+) question-answer pairs about Image(\d+)", plain)
        n, image = int(found[1]), int(found[2])
        return json.dumps([
            {"question": f"What is in Image{image}? ({number})", "answer": f"A thing is in Image{image}, {seed}."}
            for number in range(1, n + 1)
        ])  # fmt: skip
