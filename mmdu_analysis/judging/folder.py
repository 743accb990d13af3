"""A run's folder: every turn is written to the disk before the next one is asked, and the same command continues the run.

While a dialogue is being asked, its turns are lines of ``{id}.json.part``, each written and synced at once.
At its end they become ``{id}.json``, written as a temporary file and renamed. ``run.json`` has the settings
of the run.
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

from mmdu_analysis.io.files import atomic_path, decode_loosely
from mmdu_analysis.judging.files import check_folder, check_names, open_lines, read_regular, remove_leftovers
from mmdu_analysis.judging.reply import Usage, read_usage
from mmdu_analysis.schema import DataError, short_path, shorten

Key = tuple[int, int]
"""A turn, and the number of the judgement (1 for an answer)."""
Entry = dict[str, Any]
"""The entry of a turn; it has ``turn``, ``repeat`` and ``usage``."""
RUN_FILE = "run.json"
_LOCK = ".lock"
_MOST = 1 << 31


def key_of(entry: Mapping[str, Any]) -> Key:
    """Return the turn of an entry, and the number of the judgement.

    Raises
    ------
    ValueError
        If one isn't a positive whole number.
    """
    numbers = entry["turn"], entry.get("repeat", 1)
    if not all(isinstance(n, int) and not isinstance(n, bool) and 0 < n < _MOST for n in numbers):
        raise ValueError(f"turn and repeat are {shorten(str(numbers), 60)}")
    return numbers


def usage_of(entry: Mapping[str, Any]) -> Usage:
    """Return the tokens of a turn, including those of earlier replies that were replaced."""
    return read_usage(entry.get("usage")).plus(read_usage(entry.get("usage_before")))


class RunFolder:
    """The folder that a run writes into.

    Parameters
    ----------
    path : pathlib.Path
        New, empty, or of the same run.
    fixed : mapping
        Settings that must be the same when a run is continued: model, prompt, parameters ...
    pack : callable
        Id of a dialogue and its entries, in order -> content of ``{id}.json``; None if there is no file to
        write.
    unpack : callable
        The inverse: content of ``{id}.json`` -> entries.
    check : callable, optional
        Id of a dialogue and an entry that was read -> the updated entry, or None if the turn has to be asked
        again.
    pictures : mapping, optional
        Id of a dialogue -> fingerprint of its pictures, which must not change either.

    Attributes
    ----------
    entries : dict
        Id of a dialogue -> turn -> entry, for all completed turns.
    outdated : int
        Number of entries that are no longer valid.
    run : dict
        Content of ``run.json``.
    """

    def __init__(
        self,
        path: Path,
        fixed: Mapping[str, Any],
        pack: Callable[[str, list[Entry]], Any],
        unpack: Callable[[Any], list[Entry]],
        check: Callable[[str, Entry], Entry | None] = lambda _dialog_id, entry: entry,
        pictures: Mapping[str, str] | None = None,
    ) -> None:
        self.path, self._fixed, self._pack, self._unpack = path, dict(fixed), pack, unpack
        self._check, self.outdated = check, 0
        self._pictures = dict(pictures or {})
        self._mended: set[str] = set()
        self._replaced: dict[tuple[str, Key], Usage] = {}
        self.entries: dict[str, dict[Key, Entry]] = {}
        self.run: dict[str, Any] = {}
        self._parts: dict[str, BinaryIO] = {}
        self._lock: Any = None
        self._writing = threading.Lock()

    def open(self, dialog_ids: Iterable[str]) -> dict[str, Any]:
        """Lock the folder for this process, remove temporary files of a killed run, and read the completed turns.

        Parameters
        ----------
        dialog_ids : iterable of str
            Those of the run.

        Returns
        -------
        dict
            The existing ``run.json``; empty for a new run.

        Raises
        ------
        DataError
            If another process uses it, it belongs to another run, it can't be written, an id can't be the
            name of a file, or there are links or special files in it.
        """
        names = list(dict.fromkeys(dialog_ids))
        check_names(names)
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            check_folder(self.path)
        except OSError as error:
            raise DataError(f"{short_path(self.path)}: can't be a folder ({error.strerror})") from None
        self._take_lock()
        try:
            with self._as_data_error():
                remove_leftovers(self.path)
            return self.read(names)
        except BaseException:
            self._lock.release()
            raise

    def read(self, dialog_ids: Iterable[str]) -> dict[str, Any]:
        """Read the completed turns as `open`, but without the lock."""
        before = self._read_run() if self.path.is_dir() else {}
        for name in dialog_ids:
            self.entries[name] = {}
            for key, entry in self._read(name).items():
                now = self._check(name, entry)
                if now is None:
                    self.outdated += 1
                    self._replaced[name, key] = usage_of(entry)
                    self._mended.add(name)
                    continue
                self.entries[name][key] = now
                if now is not entry:
                    self._mended.add(name)
        return before

    def _take_lock(self) -> None:
        import filelock

        self._lock = filelock.FileLock(self.path / _LOCK)
        try:
            self._lock.acquire(timeout=0)
        except filelock.Timeout:
            text = f"{short_path(self.path)}: another run writes into it; wait for its end, or pass another folder"
            raise DataError(text) from None
        except OSError as error:
            raise DataError(f"{short_path(self.path)}: can't be written ({error.strerror})") from None

    def _read_run(self) -> dict[str, Any]:
        file = self.path / RUN_FILE
        others = [name for name in check_folder(self.path) if not name.startswith(".") and name != RUN_FILE]
        raw = read_regular(file)
        if raw is None:
            if others:
                text = f"{short_path(self.path)}: holds files that don't belong to a run ({shorten(others[0], 80)}); pass a new or an empty folder"
                raise DataError(text)
            return {}
        before = _decode(file, raw)
        if not isinstance(before, dict):
            raise DataError(f"{short_path(file)}: got {type(before).__name__}, expected a file of a run")
        if (
            others
        ):  # the settings of a run without any reply, such as one with a wrong model name, may be changed
            self._compare(before, file)
        return before

    def _compare(self, before: dict[str, Any], file: Path) -> None:
        """Validate that settings, texts and pictures are unchanged when a run is continued."""
        now = json.loads(json.dumps(self._fixed))
        for name, value in now.items():
            if before.get(name) != value:
                raise DataError(
                    f"{short_path(file)}: this run has {name} {_brief(before.get(name))}, but the request has {_brief(value)}; "
                    "pass another folder, or the same settings and data"
                )
        known = before.get("pictures_sha256")
        known = known if isinstance(known, dict) else {}
        changed = [name for name, digest in self._pictures.items() if known.get(name, digest) != digest]
        if changed:
            raise DataError(
                f"{short_path(file)}: pictures of {len(changed)} dialogues have changed since the run began, the first: "
                f"dialogue {shorten(changed[0], 80)}; pass another folder, or the same pictures"
            )
        self._pictures = known | self._pictures

    def _read(self, dialog_id: str) -> dict[Key, Entry]:
        """Read a dialogue's turns; a line that a crash truncated is skipped."""
        found: dict[Key, Entry] = {}
        file = self._file(dialog_id)
        raw = read_regular(file)
        if raw is not None:
            try:
                found = {key_of(entry): entry for entry in self._unpack(_decode(file, raw))}
            except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
                if isinstance(error, DataError):
                    raise
                reason = shorten(f"{type(error).__name__}: {error}", 100)
                text = f"{short_path(file)}: not a file of a run ({reason}); remove it"
                raise DataError(text) from None
        for line in (read_regular(self._part(dialog_id)) or b"").split(b"\n"):
            try:
                entry = msgspec.json.decode(line)
                found[key_of(entry)] = entry
            except (msgspec.DecodeError, UnicodeDecodeError, KeyError, TypeError, ValueError, AttributeError):
                continue
        return found

    def append(self, dialog_id: str, entry: Entry) -> None:
        """Write a turn: it is kept if this process crashes, and after `sync` also if the machine crashes.

        Raises
        ------
        DataError
            If the disk is full; earlier turns are kept.
        """
        key = key_of(entry)
        earlier = self._replaced.get((dialog_id, key), Usage())
        if (old := self.entries[dialog_id].get(key)) is not None:
            earlier = earlier.plus(usage_of(old))
        if any(earlier):
            entry = {**entry, "usage_before": list(earlier)}
        with self._writing, self._as_data_error():
            if dialog_id not in self._parts:
                self._parts[dialog_id] = open_lines(self._part(dialog_id))
            line = msgspec.json.encode(entry) + b"\n"
            written = self._parts[dialog_id].write(line)
            if written != len(line):  # a disk that becomes full writes only a part, without an error
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            self.entries[dialog_id][key] = entry
            self._replaced.pop((dialog_id, key), None)

    def sync(self, dialog_id: str) -> None:
        """Wait until the turns of a dialogue are synchronised with the disk."""
        with self._as_data_error():
            os.fsync(self._parts[dialog_id].fileno())

    @contextmanager
    def _as_data_error(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            advice = "; free space and run it again" if error.errno == errno.ENOSPC else ""
            text = f"{short_path(self.path)}: can't be written ({error.strerror}){advice}"
            raise DataError(text) from None

    def finish(self, dialog_id: str) -> None:
        """Write a dialogue's file from its turns, and remove their lines."""
        entries = self.entries[dialog_id]
        part = self._part(dialog_id)
        if opened := self._parts.pop(dialog_id, None):
            opened.close()
        if not part.exists() and dialog_id not in self._mended:
            return
        packed = self._pack(dialog_id, [entries[key] for key in sorted(entries)]) if entries else None
        if packed is not None:
            self._write(self._file(dialog_id), packed)
        else:
            self._file(dialog_id).unlink(missing_ok=True)
        if packed is not None or not entries:  # otherwise the lines are the only record of the failures
            part.unlink(missing_ok=True)
        self._mended.discard(dialog_id)

    def write_run(self, details: Mapping[str, Any]) -> None:
        """Write ``run.json``."""
        self.run = {**self._fixed, **details, "pictures_sha256": self._pictures}
        self._write(self.path / RUN_FILE, self.run)

    def close(self) -> None:
        """Write the dialogues that are not finished, and release the folder."""
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


def _decode(file: Path, raw: bytes) -> Any:
    try:
        return decode_loosely(raw.removeprefix(b"\xef\xbb\xbf"))
    except (ValueError, RecursionError):
        text = f"{short_path(file)}: not valid JSON; remove it, and its turns are asked again"
        raise DataError(text) from None


def _brief(value: Any) -> str:
    return shorten(json.dumps(value, ensure_ascii=False), 60)
