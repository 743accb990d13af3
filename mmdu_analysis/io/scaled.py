"""Pictures at the displayed or sent size: scaled, cached, and returned as bytes."""

from __future__ import annotations

import io
import warnings
from functools import cached_property, lru_cache
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, NamedTuple

from mmdu_analysis.io.formats import file_kind, parquet
from mmdu_analysis.io.pictures import (
    PICTURE_FORMATS,
    PictureNames,
    data_url_bytes,
    find_by_name,
    find_picture,
    picture_roots,
    why_no_picture,
)
from mmdu_analysis.synthetic.pictures import draw_scene

if TYPE_CHECKING:
    from PIL.Image import Image

    from mmdu_analysis.io.benchmark import Benchmark

MOST_PIXELS = 64_000_000
"""Maximum number of decoded pixels: 192 MB as RGB. A larger JPEG is decoded at a fraction of its size."""
_MOST_HEADER_PIXELS = 1_000_000_000
_ONE_AT_A_TIME = Lock()
_SENT_AS_THEY_ARE = ("JPEG", "PNG", "WEBP")  # supported by every server that accepts pictures
_UPRIGHT = 1
_ORIENTATION = 0x0112


class Picture(NamedTuple):
    """A picture, or the reason why there is none.

    Attributes
    ----------
    data : bytes
        Empty if there is no picture.
    mime : str
        ``image/jpeg``, ``image/png`` or ``image/webp``.
    problem : str
        Why there is no picture; else empty.
    """

    data: bytes
    mime: str = ""
    problem: str = ""


class Pictures:
    """The pictures of a benchmark.

    Parameters
    ----------
    bench : Benchmark
        Pictures are read only from its folder.
    """

    def __init__(self, bench: Benchmark) -> None:
        self.drawn = bench.synthetic and bench.folder is None  # the sample itself, which has no files
        self.roots = picture_roots(bench.folder) if bench.folder else []
        self.source = bench.path if bench.path is not None and bench.path.is_file() else None
        self._images = bench.images

    @cached_property
    def paths(self) -> dict[tuple[str, int], str]:
        """The listed path of each dialogue's images, by dialogue and number."""
        # As lists, since iterating over 135,000 Arrow strings takes a second.
        ids, numbers, paths = (self._images[name].tolist() for name in ("dialog_id", "image", "path"))
        return dict(zip(zip(ids, numbers, strict=True), paths, strict=True))

    def get(self, dialog_id: str, image: int, side: int, *, keep: bool = False) -> Picture:
        """Return one picture, scaled.

        Parameters
        ----------
        dialog_id : str
            The dialogue.
        image : int
            1-based number in the dialogue.
        side : int
            Maximum length of the longest side, in pixels.
        keep : bool, default False
            Return the bytes of the file if it is small enough, upright, and JPEG, PNG or WebP. By default
            every picture is re-encoded as JPEG or PNG.

        Returns
        -------
        Picture
            With a problem if there is no picture.
        """
        path = self.paths.get((dialog_id, image))
        if path is None:
            return Picture(b"", problem="the dialogue has no such image")
        if self.drawn:
            return _encode(draw_scene(int(dialog_id), image), side)
        path_on_disk = self.find(path)
        if path_on_disk is not None:
            return load_picture(path_on_disk, side, keep=keep)
        data = data_url_bytes(path) or self._embedded(dialog_id, image)
        if data:
            return scale_bytes(data, side)
        return Picture(b"", problem=why_no_picture(self.roots, path))

    def find(self, path: str) -> Path | None:
        """Return the file of a listed path; None if there is none."""
        return find_picture(self.roots, path) or (self._by_name.get(path) if self.roots else None)

    @cached_property
    def _by_name(self) -> dict[str, Path]:
        """Files that are found by their name alone; they were reported as a problem when the data was loaded."""
        listed = set(self.paths.values())
        names = PictureNames(self.roots)
        missing = [p for p in listed if not (names.may_exist(p) and find_picture(self.roots, p))]
        return find_by_name(self.roots[0], listed, missing)

    def _embedded(self, dialog_id: str, image: int) -> bytes | None:
        """Return a picture that is in the benchmark's own Parquet file."""
        if self.source is None or file_kind(self.source) != "parquet":
            return None
        data = parquet.pictures_of(self.source, self.source.stat().st_mtime_ns, dialog_id)
        return data[image - 1] if 0 < image <= len(data) else None


def load_picture(path: Path, side: int, *, keep: bool = False) -> Picture:
    """Load a picture file, scaled.

    Parameters
    ----------
    path : pathlib.Path
        The file.
    side, keep
        As in `Pictures.get`.

    Returns
    -------
    Picture
        With a problem if the file is not a readable picture.
    """
    try:
        changed = path.stat().st_mtime_ns
    except OSError as error:
        return Picture(b"", problem=f"can't be read ({error.strerror})")
    return _load(path, changed, side, keep)


@lru_cache(maxsize=256)
def _load(path: Path, _changed: int, side: int, keep: bool) -> Picture:
    return _decode(path, side, keep)


def scale_bytes(data: bytes, side: int) -> Picture:
    """Return a picture, scaled, from the bytes of its file; see `Pictures.get`."""
    return _decode(io.BytesIO(data), side, keep=False)


def _decode(source: Path | io.BytesIO, side: int, keep: bool) -> Picture:
    from PIL import Image, ImageOps

    try:
        with (
            _ONE_AT_A_TIME,
            warnings.catch_warnings(),
            Image.open(source, formats=PICTURE_FORMATS) as picture,
        ):
            warnings.simplefilter("ignore")
            width, height = picture.size
            if keep and isinstance(source, Path) and _can_stay(picture, side):
                picture.load()  # a damaged file is reported here, not by the server
                return Picture(source.read_bytes(), Image.MIME[str(picture.format)])
            picture.draft("RGB", (side, side))  # JPEG: decode at an eighth, a quarter or half of its size
            if picture.width * picture.height > MOST_PIXELS or width * height > _MOST_HEADER_PIXELS:
                return Picture(b"", problem=f"{width:,} x {height:,} pixels are too many")
            return _encode(ImageOps.exif_transpose(_eight_bits(picture)), side)
    except Exception as error:  # a damaged file can raise any exception in a decoder
        return Picture(b"", problem=f"not a readable picture ({type(error).__name__}); fetch it again")


def _eight_bits(picture: Image) -> Image:
    """Scale greyscale of 16 bits to 8, which Pillow would clip to white."""
    if not picture.mode.startswith("I"):
        return picture
    return picture.convert("I").point(lambda value: value / 257).convert("L")


def _can_stay(picture: Image, side: int) -> bool:
    upright = picture.getexif().get(_ORIENTATION, _UPRIGHT) == _UPRIGHT
    return picture.format in _SENT_AS_THEY_ARE and max(picture.size) <= side and upright


def _encode(picture: Image, side: int) -> Picture:
    picture.thumbnail((side, side))
    clear = picture.mode in ("RGBA", "LA", "PA") or "transparency" in picture.info
    buffer = io.BytesIO()
    if clear:
        picture.convert("RGBA").save(buffer, "PNG")
    else:
        picture.convert("RGB").save(buffer, "JPEG", quality=85)
    return Picture(buffer.getvalue(), "image/png" if clear else "image/jpeg")
