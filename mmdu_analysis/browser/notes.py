"""Tags and notes on turns, in a JSON Lines file."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmdu_analysis.io.files import atomic_path
from mmdu_analysis.schema import DataError, Problem, short_path

if TYPE_CHECKING:
    import pandas as pd

TAGS = ("correct", "wrong", "hallucination", "wrong image", "forgotten image", "refusal")
"""Tags that are offered; any other text can be one too."""
_LONGEST = 10_000


class Notes:
    """What a reader has noted.

    Each line of the file is one turn: ``benchmark``, ``dialog_id``, ``turn``, ``tags``, ``note``, ``time``.
    Lines of other benchmarks, and lines that can't be read, stay as they are.

    Parameters
    ----------
    path : path or None
        The file; it is made with the first note. None keeps notes in memory.
    benchmark : str
        The benchmark's name.
    """

    def __init__(self, path: str | Path | None, benchmark: str) -> None:
        self.path = Path(path).expanduser() if path is not None else None
        self.benchmark = benchmark
        self.problems: list[Problem] = []
        self.entries, self._others = self._read()

    def _read(self) -> tuple[dict[tuple[str, int], dict[str, Any]], list[str]]:
        entries: dict[tuple[str, int], dict[str, Any]] = {}
        others: list[str] = []
        if self.path is None or not self.path.exists():
            return entries, others
        try:
            lines = self.path.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise DataError(
                f"{short_path(self.path)}: notes can't be read ({error}); give another file"
            ) from None
        self.problems = []
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                entry = json.loads(line)
                key = (str(entry["dialog_id"]), int(entry["turn"]))
                tags, note = [str(tag) for tag in entry.get("tags", [])], str(entry.get("note", ""))
            except (ValueError, KeyError, TypeError, RecursionError):
                text = "not a note; the line is kept as it is"
                self.problems.append(Problem(short_path(self.path), f"line {number}", text))
                others.append(line)
                continue
            if entry.get("benchmark") != self.benchmark:
                others.append(line)
            else:
                entries[key] = entry | {"tags": tags, "note": note}
        return entries, others

    def get(self, dialog_id: str, turn: int) -> dict[str, Any]:
        """Give a turn's tags and note; empty ones where there are none."""
        entry = self.entries.get((dialog_id, turn), {})
        return {"tags": list(entry.get("tags", [])), "note": entry.get("note", "")}

    def put(self, dialog_id: str, turn: int, tags: list[str], note: str) -> None:
        """Set a turn's tags and note, and write the file whole or not at all.

        What another reader has written into the file since is kept.
        """
        entries, self._others = self._read() if self.path is not None else (self.entries, [])
        tags = list(dict.fromkeys(str(tag).strip()[:100] for tag in tags if str(tag).strip()))
        note = str(note)[:_LONGEST]
        if tags or note.strip():
            entries[dialog_id, turn] = {
                "benchmark": self.benchmark,
                "dialog_id": dialog_id,
                "turn": turn,
                "tags": tags,
                "note": note,
                "time": datetime.now(UTC).isoformat(timespec="seconds"),
            }
        else:
            entries.pop((dialog_id, turn), None)
        self.entries = entries
        if self.path is None:
            return
        lines = [*self._others, *(json.dumps(entry, ensure_ascii=False) for entry in entries.values())]
        with atomic_path(self.path) as temporary:
            temporary.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")

    def frame(self) -> pd.DataFrame:
        """Give the notes as a frame: ``dialog_id``, ``turn``, ``tags`` (a tuple), ``note``, ``time``."""
        import pandas as pd

        rows = [
            (key, turn, tuple(entry["tags"]), entry["note"], entry.get("time", ""))
            for (key, turn), entry in self.entries.items()
        ]
        return pd.DataFrame(rows, columns=["dialog_id", "turn", "tags", "note", "time"])
