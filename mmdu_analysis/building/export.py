"""Write what reviewers accepted as a benchmark in the authors' form, with a data sheet."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmdu_analysis.building.datasheet import write_data_sheet
from mmdu_analysis.building.joining import Pair, introduce_images
from mmdu_analysis.building.review import Review
from mmdu_analysis.building.review_log import TurnState
from mmdu_analysis.building.written import PICTURES, Written
from mmdu_analysis.io.files import atomic_path
from mmdu_analysis.io.pictures import find_picture
from mmdu_analysis.schema import DataError, short_path

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Exported:
    """One dialogue of the exported benchmark.

    Attributes
    ----------
    dialog : Written
        As the model wrote it.
    pairs : tuple of Pair
        The turns that are kept, with their edits.
    questions : tuple of str
        Their questions, with the images that they introduce.
    n_images : int
        Images that are introduced; later ones are left out.
    n_edited : int
        Kept turns that a reviewer edited.
    """

    dialog: Written
    pairs: tuple[Pair, ...]
    questions: tuple[str, ...]
    n_images: int
    n_edited: int


def export_benchmark(folder: str | Path, out: str | Path, *, accepted: int = 2) -> pd.DataFrame:
    """Write the accepted turns as a benchmark, with the pictures and a data sheet.

    Parameters
    ----------
    folder : str or path
        From `write_dialogs`, with the reviewers' decisions.
    out : str or path
        File to write, such as ``benchmark.json``. Pictures are copied to ``mmdu_pics`` beside it; the data
        sheet has its name with ``.md``.
    accepted : int, default 2
        Number of reviewers who must accept the current texts of a turn. Turns and dialogues that any reviewer
        rejects are left out. With 0, turns that nobody has reviewed are kept.

    Returns
    -------
    pandas.DataFrame
        One row per dialogue: ``dialog_id``, ``n_turns`` (written), ``n_accepted`` (kept), ``n_edited``,
        ``n_rejected``, ``n_open`` (not enough decisions), ``n_images``, ``kept``, ``synthetic``.

    Raises
    ------
    DataError
        If nothing is accepted, or a picture is missing.

    See Also
    --------
    review_dialogs : Where decisions are made.
    """
    import pandas as pd

    if accepted < 0:
        raise DataError(f"accepted: got {accepted}, expected a number of reviewers")
    review, file = Review(folder), Path(out).expanduser()
    found, rows = [], []
    events = review.events()
    for key, dialog in review.dialogs.items():
        states = review.turns(key, events[key])
        whole_rejected = "reject" in review.whole(key, events[key]).values()
        kept = [state.accepted(accepted) and not whole_rejected for state in states]
        rejected = [whole_rejected or "reject" in state.decisions.values() for state in states]
        exported = _exported(dialog, states, kept)
        if exported.pairs:
            found.append(exported)
        row = {
            "dialog_id": key,
            "n_turns": len(states),
            "n_accepted": sum(kept),
            "n_edited": exported.n_edited,
        }
        row |= {"n_rejected": sum(rejected), "n_open": len(states) - sum(kept) - sum(rejected)}
        rows.append(
            row | {"n_images": exported.n_images, "kept": bool(exported.pairs), "synthetic": dialog.synthetic}
        )
    if not found:
        raise DataError(
            f"{short_path(review.folder)}: no turn is accepted by {accepted} reviewers; review more"
        )
    table = pd.DataFrame(rows)
    _copy_pictures(review.folder, file.parent, found)
    records = [_record(exported) for exported in found]
    with atomic_path(file) as temporary:
        temporary.write_text(json.dumps(records, ensure_ascii=False, indent=1), encoding="utf-8")
    sheet = write_data_sheet(file.stem, review, found, table, accepted)
    with atomic_path(file.with_suffix(".md")) as temporary:
        temporary.write_text(sheet, encoding="utf-8")
    return table


def _exported(dialog: Written, states: Sequence[TurnState], kept: Sequence[bool]) -> Exported:
    pairs, edited = [], 0
    for pair, state, keep in zip(dialog.pairs, states, kept, strict=True):
        if keep:
            reviewers = {"accepted_by": sorted(state.decisions), "edited": state.edited}
            pairs.append(Pair(state.question, state.answer, pair.origin | reviewers))
            edited += state.edited
    questions, shown = introduce_images(pairs)
    return Exported(dialog, tuple(pairs), tuple(questions), shown, edited)


def _record(exported: Exported) -> dict[str, Any]:
    """Return a dialogue in the authors' form; the origin of each turn is stored with its answer."""
    talk: list[dict[str, Any]] = []
    for question, pair in zip(exported.questions, exported.pairs, strict=True):
        talk.append({"from": "user", "value": question})
        talk.append({"from": "assistant", "value": pair.answer, "origin": pair.origin})
    images = [f"/{path}" for path in exported.dialog.images[: exported.n_images]]
    record = {"id": exported.dialog.id, "image": images, "conversations": talk}
    return record | ({"synthetic": True} if exported.dialog.synthetic else {})


def _copy_pictures(folder: Path, target: Path, found: Sequence[Exported]) -> None:
    (target / PICTURES).mkdir(parents=True, exist_ok=True)
    for exported in found:
        for path in exported.dialog.images[: exported.n_images]:
            source = find_picture([folder], path)
            if source is None:
                raise DataError(f"{short_path(folder)}: the picture {path} is missing; run the writing again")
            copy = target / PICTURES / source.name
            if not copy.exists() or not copy.samefile(source):
                temporary = copy.with_name(f".{copy.name}.tmp")
                shutil.copyfile(source, temporary)
                temporary.replace(copy)
