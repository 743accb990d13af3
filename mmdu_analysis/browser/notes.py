"""Tags and notes on turns, in an append-only JSON Lines file."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmdu_analysis.io.append import append_records, read_records
from mmdu_analysis.schema import Problem, short_path

if TYPE_CHECKING:
    import pandas as pd

TAGS = ("correct", "wrong", "hallucination", "wrong image", "forgotten image", "refusal")
"""Tags that are offered; any other text can be one too."""
_LONGEST = 10_000

Key = tuple[str, int]


class Notes:
    """Tags and notes of the readers of a benchmark.

    Each line of the file is one change: ``benchmark``, ``dialog_id``, ``turn``, ``tags``, ``note``, ``time``.
    The last line of a turn counts; empty tags and an empty note remove what was noted.

    Parameters
    ----------
    path : path or None
        The file; it is created with the first note. None keeps notes in memory.
    benchmark : str
        Name of the benchmark; lines of other benchmarks are ignored.
    """

    def __init__(self, path: str | Path | None, benchmark: str) -> None:
        self.path = Path(path).expanduser() if path is not None else None
        self.benchmark = benchmark
        self.problems: list[Problem] = []
        self.entries: dict[Key, dict[str, Any]] = {}
        self._read()

    def _read(self) -> None:
        if self.path is None:
            return
        records, problems = read_records(self.path)
        entries: dict[Key, dict[str, Any]] = {}
        for number, record in records:
            if record.get("benchmark", self.benchmark) != self.benchmark:
                continue
            try:
                key = (str(record["dialog_id"]), int(record["turn"]))
                tags, note = [str(tag) for tag in record.get("tags", [])], str(record.get("note", ""))
            except (LookupError, TypeError, ValueError, OverflowError):
                text = "not a note with a dialogue and a turn; the line is kept unchanged"
                problems.append(Problem(short_path(self.path), f"line {number}", text))
                continue
            self._set(entries, key, record | {"tags": tags, "note": note})
        self.entries, self.problems = entries, problems

    @staticmethod
    def _set(entries: dict[Key, dict[str, Any]], key: Key, record: dict[str, Any]) -> None:
        if record["tags"] or record["note"].strip():
            entries[key] = record
        else:
            entries.pop(key, None)

    def get(self, dialog_id: str, turn: int) -> dict[str, Any]:
        """Return the tags and the note of a turn, empty if there are none."""
        entry = self.entries.get((dialog_id, turn), {})
        return {"tags": list(entry.get("tags", [])), "note": entry.get("note", "")}

    def put(self, dialog_id: str, turn: int, tags: list[str], note: str) -> None:
        """Set the tags and the note of a turn, and append them to the file.

        Changes by other readers are read from the file first.
        """
        tags = list(dict.fromkeys(str(tag).strip()[:100] for tag in tags if str(tag).strip()))
        record = {
            "benchmark": self.benchmark,
            "dialog_id": dialog_id,
            "turn": turn,
            "tags": tags,
            "note": str(note)[:_LONGEST],
            "time": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        if self.path is None:
            self._set(self.entries, (dialog_id, turn), record)
            return
        append_records(self.path, [record])
        self._read()

    def tagged(self, tag: str) -> list[Key]:
        """Return the turns with a tag; ``*`` stands for any tag or note."""
        return [key for key, entry in self.entries.items() if tag == "*" or tag in entry["tags"]]

    def frame(self) -> pd.DataFrame:
        """Return the notes as a frame: ``dialog_id``, ``turn``, ``tags`` (a tuple), ``note``, ``time``."""
        import pandas as pd

        rows = [
            (key, turn, tuple(entry["tags"]), entry["note"], entry.get("time", ""))
            for (key, turn), entry in self.entries.items()
        ]
        return pd.DataFrame(rows, columns=["dialog_id", "turn", "tags", "note", "time"])
