"""Files in zip archives, read one by one without unpacking."""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import suppress
from functools import cached_property
from pathlib import Path, PurePosixPath
from threading import Lock

from mmdu_analysis.io.zip_entries import Directory, read_directory, read_entry
from mmdu_analysis.schema import short_path

MOST_BYTES = 200_000_000
"""Maximum size of a file in an archive in bytes; larger files are not read."""

Entry = tuple[Directory, str]
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
    def _directories(self) -> list[Directory]:
        directories = []
        for archive in self.archives:
            with suppress(OSError, zipfile.BadZipFile):
                directories.append(read_directory(archive))
        return directories

    @cached_property
    def _paths(self) -> dict[str, str | None]:
        """The path of each file name; None for a name of several files."""
        paths: dict[str, str | None] = {}
        for directory in self._directories:
            for path in directory.records:
                name = path.rpartition("/")[2]
                if not path.startswith("__MACOSX"):
                    paths[name] = None if name in paths else path
        return paths

    def find(self, path: str) -> Entry | None:
        """Return the archive and the file of a picture path; None if there is none.

        Parameters
        ----------
        path : str
            As in the benchmark, such as ``/mmdu_pics/x.jpg``: looked up unchanged, relative to the folder of
            the archive, and by its name alone if the name is unique.
        """
        parts = PurePosixPath(path.replace("\\", "/").lstrip("/")).parts
        tails = ["/".join(parts[start:]) for start in range(len(parts))]
        with self._lock:  # pictures are asked for by several threads
            found = next((entry for tail in tails for entry in self._at(tail)), None)
            if found is None and parts and (alone := self._paths.get(parts[-1])):
                found = next(self._at(alone), None)
        return found

    def _at(self, path: str) -> Iterator[Entry]:
        return ((directory, path) for directory in self._directories if path in directory.records)

    def read(self, directory: Directory, name: str) -> tuple[bytes, str]:
        """Return the bytes of a file, or no bytes and why."""
        label = f"in {short_path(directory.archive)}"
        try:
            data = read_entry(directory, name, MOST_BYTES + 1)
        except zipfile.LargeZipFile:
            return b"", f"{label}: larger than {MOST_BYTES:,} bytes"
        except (
            OSError,
            RuntimeError,
            zipfile.BadZipFile,
            zlib.error,
            struct.error,
            EOFError,
            NotImplementedError,
        ) as error:
            return b"", f"{label}: not readable ({type(error).__name__}); fetch the archive again"
        return (data, "") if len(data) <= MOST_BYTES else (b"", f"{label}: larger than {MOST_BYTES:,} bytes")
