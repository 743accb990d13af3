"""A run's folder: every turn is on the disk before the next is asked, and the same command goes on.

While a dialogue is under way its turns are lines of ``{id}.json.part``, each written and synced at once. When it ends they
become ``{id}.json``, written beside its place and renamed. ``run.json`` tells what was asked of whom.
"""

from __future__ import annotations

import errno
import json
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from mmdu_analysis.io.files import atomic_path, decode_loosely, read_bytes
from mmdu_analysis.schema import DataError, short_path

Key = tuple[int, int]
"""A turn, and which of its judgements (1 for an answer)."""
Entry = dict[str, Any]
"""What is kept of a turn; ``turn``, ``repeat``, ``usage``."""
RUN_FILE = "run.json"
_NAMES_LEFT = frozenset({"", ".", "..", "run"})


def key_of(entry: Mapping[str, Any]) -> Key:
    """Give the turn that an entry belongs to, and which of its judgements it is."""
    return int(entry["turn"]), int(entry.get("repeat", 1))


class RunFolder:
    """The folder that a run writes into.

    Parameters
    ----------
    path : pathlib.Path
        New, empty, or of the same run.
    fixed : mapping
        What must not change between the parts of a run: model, prompt, parameters ...
    pack : callable
        Dialogue's id and its entries, in order -> what ``{id}.json`` holds.
    unpack : callable
        The reverse: what ``{id}.json`` holds -> entries.
    check : callable, optional
        Dialogue's id and an entry that was read -> the entry as it counts now, or None: it is asked again.

    Attributes
    ----------
    entries : dict
        Dialogue's id -> turn -> entry: all that is done.
    outdated : int
        Entries that no longer count.
    run : dict
        What ``run.json`` says.
    """

    def __init__(
        self,
        path: Path,
        fixed: Mapping[str, Any],
        pack: Callable[[str, list[Entry]], Any],
        unpack: Callable[[Any], list[Entry]],
        check: Callable[[str, Entry], Entry | None] = lambda _dialog_id, entry: entry,
    ) -> None:
        self.path, self._fixed, self._pack, self._unpack = path, dict(fixed), pack, unpack
        self._check, self.outdated = check, 0
        self._mended: set[str] = set()
        self.entries: dict[str, dict[Key, Entry]] = {}
        self.run: dict[str, Any] = {}
        self._parts: dict[str, BinaryIO] = {}
        self._lock: Any = None
        self._writing = threading.Lock()

    def open(self, dialog_ids: Iterable[str]) -> dict[str, Any]:
        """Take the folder for this process, and read what is done.

        Parameters
        ----------
        dialog_ids : iterable of str
            Those of the run.

        Returns
        -------
        dict
            ``run.json`` of the parts before; empty for a new run.

        Raises
        ------
        DataError
            If another process is at it, if it belongs to another run, if it can't be written, or if an id can't
            be a file's name.
        """
        names = list(dict.fromkeys(dialog_ids))
        for name in names:
            if name in _NAMES_LEFT or any(sign in name for sign in '/\\\0:*?"<>|') or len(name) > 200:
                raise DataError(f"dialogue id {name!r} can't be the name of a file")
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise DataError(f"{short_path(self.path)}: can't be a folder ({error.strerror})") from None
        self._take_lock()
        try:
            return self.read(names)
        except DataError:
            self._lock.release()
            raise

    def read(self, dialog_ids: Iterable[str]) -> dict[str, Any]:
        """Read what is done, without taking the folder; as `open`."""
        before = self._read_run() if self.path.is_dir() else {}
        for name in dialog_ids:
            self.entries[name] = {}
            for key, entry in self._read(name).items():
                now = self._check(name, entry)
                if now is None:
                    self.outdated += 1
                    continue
                self.entries[name][key] = now
                if now is not entry:
                    self._mended.add(name)
        return before

    def _take_lock(self) -> None:
        import filelock

        self._lock = filelock.FileLock(self.path / ".lock")
        try:
            self._lock.acquire(timeout=0)
        except filelock.Timeout:
            text = f"{short_path(self.path)}: another run writes into it; wait for its end, or give another --out"
            raise DataError(text) from None
        except OSError as error:
            raise DataError(f"{short_path(self.path)}: can't be written ({error.strerror})") from None

    def _read_run(self) -> dict[str, Any]:
        file = self.path / RUN_FILE
        others = [path.name for path in sorted(self.path.iterdir()) if path.name not in (".lock", RUN_FILE)]
        if not file.exists():
            if others:
                text = f"{short_path(self.path)}: holds files of no run ({others[0]}); give a new or an empty folder"
                raise DataError(text)
            return {}
        before = _decode(file)
        if not isinstance(before, dict):
            raise DataError(f"{short_path(file)}: got {type(before).__name__}, expected what a run writes")
        if not others:  # a run that got no reply, as with a wrong name of a model, binds nobody
            return before
        now = json.loads(json.dumps(self._fixed))
        for name, value in now.items():
            if before.get(name) != value:
                raise DataError(
                    f"{short_path(file)}: this run has {name} {_brief(before.get(name))}, asked for was {_brief(value)}; "
                    "give another --out, or the same settings"
                )
        return before

    def _read(self, dialog_id: str) -> dict[Key, Entry]:
        """Read a dialogue's turns; a line that a crash cut is none."""
        found: dict[Key, Entry] = {}
        file = self._file(dialog_id)
        if file.exists():
            try:
                found = {key_of(entry): entry for entry in self._unpack(_decode(file))}
            except (KeyError, TypeError, ValueError, AttributeError) as error:
                text = (
                    f"{short_path(file)}: not what a run writes ({type(error).__name__}: {error}); remove it"
                )
                raise DataError(text) from None
        part = self._part(dialog_id)
        if part.exists():
            for line in part.read_bytes().split(b"\n"):
                try:
                    entry = msgspec.json.decode(line)
                    found[key_of(entry)] = entry
                except (msgspec.DecodeError, UnicodeDecodeError, KeyError, TypeError, ValueError):
                    continue
        return found

    def append(self, dialog_id: str, entry: Entry) -> None:
        """Write a turn: from here on it outlives this process, and with `sync` the machine.

        Raises
        ------
        DataError
            If the disk is full; what was written before stays.
        """
        with self._writing, self._telling():
            if dialog_id not in self._parts:
                self._parts[dialog_id] = _open_to_append(self._part(dialog_id))
            line = msgspec.json.encode(entry) + b"\n"
            written = self._parts[dialog_id].write(line)
            if written != len(line):  # a disk that fills takes a part, without a word
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            self.entries[dialog_id][key_of(entry)] = entry

    def sync(self, dialog_id: str) -> None:
        """Wait until a dialogue's turns are on the disk itself."""
        with self._telling():
            os.fsync(self._parts[dialog_id].fileno())

    @contextmanager
    def _telling(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            text = f"{short_path(self.path)}: can't be written ({error.strerror}); free space and go on"
            raise DataError(text) from None

    def finish(self, dialog_id: str) -> None:
        """Write a dialogue's file from the turns there are; its lines go."""
        entries = self.entries[dialog_id]
        part = self._part(dialog_id)
        if opened := self._parts.pop(dialog_id, None):
            opened.close()
        if not part.exists() and dialog_id not in self._mended:
            return
        if entries:
            ordered = [entries[key] for key in sorted(entries)]
            self._write(self._file(dialog_id), self._pack(dialog_id, ordered))
        part.unlink(missing_ok=True)
        self._mended.discard(dialog_id)

    def write_run(self, told: Mapping[str, Any]) -> None:
        """Write ``run.json``."""
        self.run = {**self._fixed, **told}
        self._write(self.path / RUN_FILE, self.run)

    def close(self) -> None:
        """Write the dialogues that are under way, and give the folder free."""
        try:
            for name in self.entries:
                self.finish(name)
        finally:
            for part in self._parts.values():
                part.close()
            if self._lock is not None:
                self._lock.release()

    def _file(self, dialog_id: str) -> Path:
        return self.path / f"{dialog_id}.json"

    def _part(self, dialog_id: str) -> Path:
        return self.path / f"{dialog_id}.json.part"

    def _write(self, path: Path, value: Any) -> None:
        with atomic_path(path) as temporary, temporary.open("wb") as file:
            file.write(json.dumps(value, ensure_ascii=False, indent=1).encode("utf-8", "surrogatepass"))
            file.flush()
            os.fsync(file.fileno())


def _open_to_append(path: Path) -> BinaryIO:
    """Open a file of lines; what a crash left of its last line is closed off."""
    file = path.open("ab", buffering=0)
    if file.tell() and not path.read_bytes().endswith(b"\n"):
        file.write(b"\n")
    return file


def _decode(file: Path) -> Any:
    try:
        return decode_loosely(read_bytes(file))
    except (ValueError, RecursionError) as error:
        if isinstance(error, DataError):
            raise
        text = f"{short_path(file)}: not valid JSON; remove it, and its turns are asked again"
        raise DataError(text) from None


def _brief(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else text[:57] + "..."
