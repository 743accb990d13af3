"""Pictures of the synthetic sample: simple scenes, each marked."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from mmdu_analysis.schema import SYNTHETIC_LABEL

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageDraw import ImageDraw

SIZES = ((640, 480), (480, 640), (512, 512), (800, 600), (320, 240))
_SKIES = ((190, 220, 245), (250, 214, 165), (205, 205, 230), (170, 205, 225))
_GROUNDS = ((120, 160, 90), (170, 150, 110), (150, 170, 150), (200, 190, 150))


def draw_scene(number: int, image: int) -> Image:
    """Draw a scene: sky, ground, sun and objects that depend on the topic of the dialogue.

    Parameters
    ----------
    number : int
        Number of the dialogue; its topic is ``number % 8``.
    image : int
        1-based number of the image in the dialogue.

    Returns
    -------
    PIL.Image.Image
        RGB, of one of `SIZES`, with its number and the words "synthetic sample".
    """
    from PIL import Image, ImageDraw

    width, height = SIZES[(number + image) % len(SIZES)]
    picture = Image.new("RGB", (width, height), _SKIES[(number + image) % len(_SKIES)])
    draw = ImageDraw.Draw(picture)
    horizon = int(height * (0.55 + 0.05 * (image % 3)))
    draw.rectangle([0, horizon, width, height], fill=_GROUNDS[number % len(_GROUNDS)])
    sun = height // 12
    draw.ellipse([width - 4 * sun, sun, width - 2 * sun, 3 * sun], fill=(255, 235, 150))
    shape = _SHAPES[number % len(_SHAPES)]
    for column in range(2 + image % 3):
        size = height // 4 + (image * 13 + column * 29) % (height // 6)
        x = width * (2 * column + 1) // (2 * (2 + image % 3))
        shade = 60 + (number * 31 + image * 17 + column * 47) % 110
        shape(draw, x, horizon + size // 5, size, shade)
    _label(draw, width, height, f"Image{image}, {SYNTHETIC_LABEL}")
    return picture


def _label(draw: ImageDraw, width: int, height: int, text: str) -> None:
    size = max(11, height // 26)
    draw.rectangle([0, height - 2 * size, width, height], fill="white")
    draw.text((width // 2, height - size), text, fill="black", anchor="mm", font_size=size)


def _tree(draw: ImageDraw, x: int, y: int, size: int, shade: int) -> None:
    draw.rectangle([x - size // 16, y - size // 2, x + size // 16, y], fill=(110, 75, 45))
    draw.ellipse(
        [x - size // 3, y - size, x + size // 3, y - size // 3], fill=(shade // 2, 90 + shade // 2, 60)
    )


def _house(draw: ImageDraw, x: int, y: int, size: int, shade: int) -> None:
    half = size // 3
    draw.rectangle(
        [x - half, y - size * 2 // 3, x + half, y],
        fill=(210 - shade // 2, 190 - shade // 2, 170 - shade // 2),
    )
    draw.polygon(
        [(x - half, y - size * 2 // 3), (x + half, y - size * 2 // 3), (x, y - size)], fill=(150, 60, 50)
    )
    draw.rectangle([x - size // 12, y - size // 4, x + size // 12, y], fill=(90, 60, 40))


def _animal(draw: ImageDraw, x: int, y: int, size: int, shade: int) -> None:
    fill = (shade + 40, shade + 10, shade // 2 + 20)
    draw.ellipse([x - size // 3, y - size // 2, x + size // 4, y - size // 6], fill=fill)
    draw.ellipse([x + size // 8, y - size * 2 // 3, x + size * 2 // 5, y - size * 2 // 5], fill=fill)
    for leg in (-3, -1, 1, 2):
        draw.rectangle([x + leg * size // 12, y - size // 4, x + leg * size // 12 + size // 20, y], fill=fill)


def _plate(draw: ImageDraw, x: int, y: int, size: int, shade: int) -> None:
    draw.ellipse(
        [x - size // 2, y - size // 3, x + size // 2, y], fill="white", outline=(160, 160, 160), width=3
    )
    draw.ellipse(
        [x - size // 4, y - size // 4, x + size // 4, y - size // 12],
        fill=(150 + shade // 2, 60 + shade // 2, 40),
    )


def _car(draw: ImageDraw, x: int, y: int, size: int, shade: int) -> None:
    fill = (shade + 60, 70, 90 + shade // 3)
    draw.rectangle([x - size // 2, y - size // 3, x + size // 2, y - size // 10], fill=fill)
    draw.polygon(
        [
            (x - size // 3, y - size // 3),
            (x - size // 5, y - size // 2),
            (x + size // 5, y - size // 2),
            (x + size // 3, y - size // 3),
        ],
        fill=fill,
    )
    for wheel in (-1, 1):
        centre, radius = x + wheel * size // 4, size // 9
        draw.ellipse([centre - radius, y - 2 * radius, centre + radius, y], fill=(40, 40, 40))


def _mountain(draw: ImageDraw, x: int, y: int, size: int, shade: int) -> None:
    draw.polygon(
        [(x - size, y), (x, y - size), (x + size, y)],
        fill=(90 + shade // 3, 95 + shade // 3, 110 + shade // 3),
    )
    draw.polygon(
        [(x - size // 5, y - size * 4 // 5), (x, y - size), (x + size // 5, y - size * 4 // 5)], fill="white"
    )


def _picture_frame(draw: ImageDraw, x: int, y: int, size: int, shade: int) -> None:
    draw.rectangle([x - size // 3, y - size, x + size // 3, y - size // 5], fill=(150, 110, 60))
    draw.rectangle(
        [x - size // 4, y - size * 9 // 10, x + size // 4, y - size * 3 // 10],
        fill=(shade + 60, 180, 200 - shade // 2),
    )
    draw.ellipse([x - size // 8, y - size * 3 // 4, x + size // 8, y - size // 2], fill=(240, 200, 160))


def _player(draw: ImageDraw, x: int, y: int, size: int, shade: int) -> None:
    draw.ellipse([x - size // 9, y - size, x + size // 9, y - size * 7 // 9], fill=(225, 180, 145))
    draw.rectangle(
        [x - size // 7, y - size * 7 // 9, x + size // 7, y - size * 2 // 5], fill=(shade + 80, 50, 60)
    )
    for leg in (-1, 1):
        draw.rectangle(
            [x + leg * size // 12 - size // 20, y - size * 2 // 5, x + leg * size // 12 + size // 20, y],
            fill=(40, 45, 70),
        )
    draw.ellipse([x + size // 4, y - size // 6, x + size * 2 // 5, y], fill="white", outline="black", width=2)


_SHAPES: tuple[Callable[[ImageDraw, int, int, int, int], None], ...] = (
    _tree,
    _house,
    _animal,
    _plate,
    _car,
    _mountain,
    _picture_frame,
    _player,
)
