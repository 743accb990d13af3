"""Generated items with a known truth: planted clusters of texts, and drawn pictures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from mmdu_analysis.building.items import ITEM_COLUMNS
from mmdu_analysis.io.files import atomic_path
from mmdu_analysis.schema import DataError

if TYPE_CHECKING:
    import pandas as pd
    from PIL.Image import Image

SEED = 20240617
_SIDE = 256
_SUBJECTS = {
    "gardens": "garden flower rose hedge pond fountain blossom lawn orchard greenhouse",
    "bridges": "bridge arch river span cable pillar crossing viaduct railing pier",
    "birds": "bird feather wing beak nest owl heron plumage flight perch",
    "trains": "train locomotive railway carriage track platform steam signal depot wagon",
    "castles": "castle tower moat battlement keep fortress drawbridge knight dungeon rampart",
    "volcanoes": "volcano crater lava eruption ash magma summit caldera plume basalt",
    "ships": "ship sail mast hull harbour anchor deck captain cargo voyage",
    "dishes": "soup bread cheese spice sauce noodle kitchen recipe dessert pastry",
}
_NOISE = (
    "picture view taken summer local visitor known large early detail example public morning "
    "collection old century part near famous second region common light small front side quiet "
    "north open long white year place people day first new great"
).split()


def sample_items(n_clusters: int = 5, per_cluster: int = 6, *, seed: int = SEED) -> pd.DataFrame:
    """Generate items in planted clusters; the cluster is in ``source``.

    Parameters
    ----------
    n_clusters : int, default 5
        Clusters, 8 at most.
    per_cluster : int, default 6
        Items of each.
    seed : int
        Seed of the random draw.

    Returns
    -------
    pandas.DataFrame
        As `load_items` returns, marked ``synthetic``. The pictures exist only after `write_sample_items`.

    Raises
    ------
    DataError
        If a number is out of range.

    Examples
    --------
    >>> import mmdu_analysis as mmdu
    >>> mmdu.building.sample_items(2, 3)["source"].unique().tolist()
    ['planted: gardens', 'planted: bridges']
    """
    import numpy as np
    import pandas as pd

    if not 1 <= n_clusters <= len(_SUBJECTS) or per_cluster < 1:
        raise DataError(
            f"got {n_clusters} clusters of {per_cluster} items, expected 1 to {len(_SUBJECTS)} of 1 or more"
        )
    rng = np.random.default_rng(seed)
    rows = []
    for subject, listed in list(_SUBJECTS.items())[:n_clusters]:
        for number in range(1, per_cluster + 1):
            words = rng.permutation(listed.split())
            noise = rng.permutation(_NOISE)
            key = f"{subject}-{number:02}"
            caption = f"A {noise[0]} {words[0]} with {words[1]} and {words[2]}, {noise[1]} {noise[2]}"
            text = (
                f"This {words[3]} is a {noise[3]} synthetic example. Its {words[4]} stands near a {words[5]}."
            )
            rows.append(
                {
                    "id": key,
                    "image": f"pictures/{key}.png",
                    "title": f"{words[0].title()} {number}",
                    "caption": caption,
                    "tags": ", ".join([*words[:5], noise[4]]),
                    "text": text,
                    "source": f"planted: {subject}",
                    "licence": "CC0-1.0",
                }
            )
    frame = pd.DataFrame(rows, columns=list(ITEM_COLUMNS)).astype("str")
    return frame.assign(folder="", synthetic=True)


def write_sample_items(
    folder: str | Path, n_clusters: int = 5, per_cluster: int = 6, *, seed: int = SEED
) -> Path:
    """Write generated items as JSON Lines, with a drawn picture for each.

    Parameters
    ----------
    folder : str or path
        Where ``items.jsonl`` and ``pictures/`` are written.
    n_clusters, per_cluster, seed
        As in `sample_items`.

    Returns
    -------
    pathlib.Path
        The file, for `load_items`.
    """
    target = Path(folder).expanduser()
    items = sample_items(n_clusters, per_cluster, seed=seed)
    (target / "pictures").mkdir(parents=True, exist_ok=True)
    for number, name in enumerate(items["image"]):
        draw_picture(number, seed).save(target / name)
    columns = [*ITEM_COLUMNS, "synthetic"]
    lines = [json.dumps(row, ensure_ascii=False) for row in items[columns].to_dict("records")]
    with atomic_path(target / "items.jsonl") as temporary:
        temporary.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return target / "items.jsonl"


def draw_picture(number: int, seed: int = SEED) -> Image:
    """Draw a picture of bright rectangles, a different one for each number."""
    import numpy as np
    from PIL import Image, ImageDraw

    rng = np.random.default_rng([seed, number])
    picture = Image.new("RGB", (_SIDE, _SIDE), tuple(int(c) for c in rng.integers(0, 256, 3)))
    draw = ImageDraw.Draw(picture)
    for _ in range(14):
        left, top = (int(value) for value in rng.integers(0, _SIDE - 40, 2))
        width, height = (int(value) for value in rng.integers(20, 120, 2))
        draw.rectangle(
            (left, top, left + width, top + height), fill=tuple(int(c) for c in rng.integers(0, 256, 3))
        )
    return picture
