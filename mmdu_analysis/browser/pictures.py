"""The pictures of a page: from files, from the sample, or from an archive that is not unpacked."""

from __future__ import annotations

from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

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
        found = super().get(dialog_id, image, side, keep=keep)
        path = self.paths.get((dialog_id, image))
        if found.data or path is None or not self._zipped.archives:
            return found
        entry = self._zipped.find(path)
        if entry is None:
            return found
        return _from_archive(self._zipped, *entry, side)


@lru_cache(maxsize=256)
def _from_archive(zipped: ZippedFiles, archive: Path, name: str, side: int) -> Picture:
    data, problem = zipped.read(archive, name)
    return scale_bytes(data, side) if data else Picture(b"", problem=problem)
