"""Fingerprints of texts and pictures, so that a run is not continued after they changed."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmdu_analysis.io.scaled import Pictures
from mmdu_analysis.schema import is_synthetic

if TYPE_CHECKING:
    from mmdu_analysis.io.benchmark import Benchmark
    from mmdu_analysis.judging.messages import Dialogue


def digest_texts(texts: Sequence[object]) -> str:
    """Return a fingerprint of texts that includes their lengths, so that it depends on the boundaries between texts.

    Parameters
    ----------
    texts : sequence of object
        Texts; other values are hashed by their kind and printed form, so that None isn't ``"None"``.

    Returns
    -------
    str
        SHA-256 in hexadecimal.
    """
    digest = hashlib.sha256()
    for text in texts:
        kind = "s" if isinstance(text, str) else type(text).__name__
        raw = str(text).encode("utf-8", "surrogatepass")
        digest.update(f"{kind}{len(raw)}:".encode())
        digest.update(raw)
    return digest.hexdigest()


def fingerprint(bench: Benchmark) -> dict[str, Any]:
    """Return the size of a benchmark, and a fingerprint of its questions, references and names of pictures."""
    parts: list[object] = []
    for row in bench.turns[["dialog_id", "turn", "question", "answer"]].itertuples(index=False):
        parts += [
            str(row.dialog_id),
            int(row.turn),
            row.question,
            row.answer if isinstance(row.answer, str) else None,
        ]
    for row in bench.images[["dialog_id", "image", "path"]].itertuples(index=False):
        parts += [str(row.dialog_id), int(row.image), row.path if isinstance(row.path, str) else None]
    return {
        "dialogs": len(bench.dialogs),
        "turns": len(bench.turns),
        "sha256": digest_texts(parts),
        "synthetic": bool(bench.synthetic) or is_synthetic(bench.turns),
    }


def fingerprint_pictures(bench: Benchmark, dialogues: Sequence[Dialogue]) -> dict[str, str]:
    """Return a fingerprint of the picture files of each dialogue.

    Parameters
    ----------
    bench : Benchmark
        The benchmark.
    dialogues : sequence of Dialogue
        The dialogues of the run.

    Returns
    -------
    dict of str to str
        Id of a dialogue -> fingerprint; none for dialogues without pictures or with pictures that are not
        files, as in the sample. A missing file is included: a picture that is found later changes the
        fingerprint.
    """
    pictures = Pictures(bench)
    if pictures.drawn:
        return {}
    fingerprints = {}
    for dialogue in dialogues:
        images = [image for brought in dialogue.images for image in brought]
        digests = [_digest_of(pictures, dialogue.dialog_id, image) for image in images]
        if digests:
            fingerprints[dialogue.dialog_id] = digest_texts(digests)[:16]
    return fingerprints


def _digest_of(pictures: Pictures, dialog_id: str, image: int) -> str | None:
    path = pictures.paths.get((dialog_id, image))
    file = pictures.find(path) if isinstance(path, str) else None
    if file is None:
        return None if path is None or not path.startswith("data:") else digest_texts([path])
    stat = file.stat()
    return _digest_file(file, stat.st_mtime_ns, stat.st_size)


@lru_cache(maxsize=100_000)
def _digest_file(file: Path, _changed: int, _size: int) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
