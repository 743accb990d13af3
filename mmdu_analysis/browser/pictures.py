"""The pictures of a page: from files, from the sample, or from an archive that is not unpacked."""

from __future__ import annotations

from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from mmdu_analysis.io.pictures import find_picture
from mmdu_analysis.io.scaled import Picture, Pictures, scale_bytes
from mmdu_analysis.io.zipped import ZippedFiles

if TYPE_CHECKING:
    from mmdu_analysis.io.benchmark import Benchmark


class PagePictures(Pictures):
    """The pictures of a benchmark, also of a zip archive beside it.

    Parameters
    ----------
    benchmark : Benchmark
        Its folder is the only one that pictures are read from.
    """

    def __init__(self, benchmark: Benchmark) -> None:
        super().__init__(benchmark)
        self._folder = benchmark.folder

    @cached_property
    def _zipped(self) -> ZippedFiles:
        return ZippedFiles(sorted(self._folder.glob("*.zip")) if self._folder else [])

    def get(self, dialog_id: str, image: int, side: int, *, keep: bool = False) -> Picture:
        """Return one picture, scaled; see `Pictures.get`."""
        entry = self._zipped_entry(self.paths.get((dialog_id, image)))
        if entry is None:
            return super().get(dialog_id, image, side, keep=keep)
        return _from_archive(self._zipped, *entry, side)

    def _zipped_entry(self, path: str | None) -> tuple[Path, str] | None:
        """Return the archive and the entry of a picture that is not unpacked."""
        if path is None or self.drawn or not self._zipped.archives or find_picture(self.roots, path):
            return None
        return self._zipped.find(path)


@lru_cache(maxsize=256)
def _from_archive(zipped: ZippedFiles, archive: Path, name: str, side: int) -> Picture:
    data, problem = zipped.read(archive, name)
    return scale_bytes(data, side) if data else Picture(b"", problem=problem)
