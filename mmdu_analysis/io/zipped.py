"""Files in zip archives, read one by one without unpacking."""

from __future__ import annotations

import zipfile
import zlib
from functools import cached_property
from pathlib import Path, PurePosixPath
from threading import Lock

from mmdu_analysis.schema import short_path

MOST_BYTES = 200_000_000
"""Maximum size of a file in an archive in bytes; larger files are not read."""

Entry = tuple[zipfile.ZipFile, str]
"""An archive and the name of a file in it."""


class ZippedFiles:
    """The files of several archives.

    Parameters
    ----------
    archives : list of pathlib.Path
        Zip files; a file is read from the first that has it. Unreadable archives are treated as empty.
    """

    def __init__(self, archives: list[Path]) -> None:
        self.archives = archives
        self._lock = Lock()

    @cached_property
    def _entries(self) -> dict[str, Entry | None]:
        """Each file by its path and by its name; None for a name of several files."""
        by_path: dict[str, Entry | None] = {}
        by_name: dict[str, Entry | None] = {}
        for path in self.archives:
            try:
                archive = zipfile.ZipFile(path)
            except (OSError, zipfile.BadZipFile, ValueError, NotImplementedError):
                continue
            for name in archive.namelist():
                if name.endswith("/") or name.startswith("__MACOSX"):
                    continue
                by_path.setdefault(name, (archive, name))
                base = name.rpartition("/")[2]
                by_name[base] = None if base in by_name else (archive, name)
        return {**by_name, **by_path}

    def find(self, path: str) -> Entry | None:
        """Return the archive and the file of a picture path; None if there is none.

        Parameters
        ----------
        path : str
            As in the benchmark, such as ``/mmdu_pics/x.jpg``: looked up unchanged, relative to the folder of
            the archive, and by its name alone if the name is unique.
        """
        parts = PurePosixPath(path.replace("\\", "/").lstrip("/")).parts
        with self._lock:  # pictures are asked for by several threads
            entries = self._entries
        tails = ("/".join(parts[start:]) for start in range(len(parts)))
        return next((entry for tail in tails if (entry := entries.get(tail))), None)

    def read(self, archive: zipfile.ZipFile, name: str) -> tuple[bytes, str]:
        """Return the bytes of a file, or no bytes and why."""
        label = f"in {short_path(Path(str(archive.filename)))}"
        try:
            with archive.open(name) as file:
                data = file.read(MOST_BYTES + 1)
        except (
            OSError,
            RuntimeError,
            zipfile.BadZipFile,
            zlib.error,
            EOFError,
            NotImplementedError,
        ) as error:
            return b"", f"{label}: not readable ({type(error).__name__}); fetch the archive again"
        return (data, "") if len(data) <= MOST_BYTES else (b"", f"{label}: larger than {MOST_BYTES:,} bytes")
