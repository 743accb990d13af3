"""What the tests of building share: written dialogues without a model, and a model that breaks rules."""

from __future__ import annotations

import json

from mmdu_analysis.building.sample import draw_picture


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
