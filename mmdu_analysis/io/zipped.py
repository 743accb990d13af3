"""Files in zip archives, read one by one without unpacking."""

from __future__ import annotations

import zipfile
import zlib
from functools import cached_property
from pathlib import Path, PurePosixPath
from threading import Lock

from mmdu_analysis.schema import short_path

MOST_BYTES = 200_000_000
"""A larger file in an archive is not read."""


class ZippedFiles:
    """The files of some archives.

    Parameters
    ----------
    archives : list of pathlib.Path
        Zip files; the first that has a file counts. One that can't be read counts as empty.
    """

    def __init__(self, archives: list[Path]) -> None:
        self.archives = archives
        self._open: dict[Path, zipfile.ZipFile] = {}
        self._lock = Lock()

    def _known(self) -> dict[str, tuple[Path, str] | None]:
        with self._lock:  # pictures are asked for by several threads
            return self._places

    @cached_property
    def _places(self) -> dict[str, tuple[Path, str] | None]:
        """Where each file is, by its path and by its name; None for a name of several files."""
        places: dict[str, tuple[Path, str] | None] = {}
        names: dict[str, tuple[Path, str] | None] = {}
        for archive in self.archives:
            try:
                self._open[archive] = zipfile.ZipFile(archive)
            except (OSError, zipfile.BadZipFile, ValueError, NotImplementedError):
                continue
            for name in self._open[archive].namelist():
                if name.endswith("/") or name.startswith("__MACOSX"):
                    continue
                places.setdefault(name, (archive, name))
                base = name.rpartition("/")[2]
                names[base] = None if base in names else (archive, name)
        return {**names, **places}

    def find(self, path: str) -> tuple[Path, str] | None:
        """Return the archive and the entry of a picture path; None without one.

        Parameters
        ----------
        path : str
            As in the benchmark, such as ``/mmdu_pics/x.jpg``: looked up as it is, below the archive's own folder,
            and by its name alone where only one file has it.
        """
        relative = PurePosixPath(path.replace("\\", "/").lstrip("/"))
        if not relative.name:
            return None
        places = self._known()
        tails = ["/".join(relative.parts[start:]) for start in range(len(relative.parts))]
        return next((found for tail in tails if (found := places.get(tail))), None)

    def read(self, archive: Path, name: str) -> tuple[bytes, str]:
        """Return the bytes of an entry, or no bytes and why."""
        label = f"in {short_path(archive)}"
        try:
            with self._open[archive].open(name) as file:
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
