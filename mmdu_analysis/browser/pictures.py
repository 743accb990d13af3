"""The pictures of a page: from files, from the sample, or from an archive that is not unpacked."""

from __future__ import annotations

from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

from mmdu_analysis.io.pictures import find_picture
from mmdu_analysis.io.scaled import Picture, Pictures, scale_bytes
from mmdu_analysis.io.zipped import ZippedFiles

if TYPE_CHECKING:
    from mmdu_analysis.io.benchmark import Benchmark


class PagePictures(Pictures):
    """The pictures of a benchmark, including those of a zip archive next to it.

    Parameters
    ----------
    benchmark : Benchmark
        Pictures are read only from its folder, or from the archive that stands for one.
    """

    def __init__(self, benchmark: Benchmark) -> None:
        super().__init__(benchmark)
        self._folder = benchmark.folder

    @cached_property
    def _zipped(self) -> ZippedFiles:
        if self._folder is None:
            return ZippedFiles([])
        return ZippedFiles([self._folder] if self._folder.is_file() else sorted(self._folder.glob("*.zip")))

    def get(self, dialog_id: str, image: int, side: int, *, keep: bool = False) -> Picture:
        """Return one picture, scaled; see `Pictures.get`."""
        path = self.paths.get((dialog_id, image))
        if (
            path is not None
            and not self.drawn
            and self._zipped.archives
            and not find_picture(self.roots, path)
        ):
            found = _from_archive(self._zipped, path, side)
            if found is not None:
                return found
        return super().get(dialog_id, image, side, keep=keep)


@lru_cache(maxsize=256)
def _from_archive(zipped: ZippedFiles, path: str, side: int) -> Picture | None:
    """Return a picture that is not unpacked; None where no archive has it."""
    entry = zipped.find(path)
    if entry is None:
        return None
    data, problem = zipped.read(*entry)
    return scale_bytes(data, side) if data else Picture(b"", problem=problem)
