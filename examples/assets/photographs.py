"""Where photographs come from: a folder, or, when none is given, a package that ships some, or Pillow."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path

from PIL import Image

from examples.assets.files import write_atomically

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".tif", ".tiff", ".webp", ".gif", ".bmp"})

# What scikit-image ships, all free to use: NASA, museums, and photographers who gave theirs away.
SHIPPED = (
    "astronaut.png", "brick.png", "camera.png", "cell.png", "chelsea.png", "clock_motion.png", "coffee.png", "coins.png",
    "grass.png", "gravel.png", "hubble_deep_field.jpg", "ihc.png", "moon.png", "motorcycle_left.png", "motorcycle_right.png",
    "retina.jpg", "rocket.jpg",
)  # fmt: skip

TRUNCATED, TEXT = "broken-half.jpg", "broken-text.jpg"


def photographs_in(folder: Path) -> list[Path]:
    """The files of a folder that look like photographs by their names, sorted."""
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES and not path.name.startswith("."))


def collect(folder: Path) -> str:
    """Fill a folder with photographs, two of them broken; returns where they come from, in words."""
    folder.mkdir(parents=True, exist_ok=True)
    found = shipped()
    if found:
        source = f"{len(found)} that scikit-image ships"
        photographs = {path.name: path.read_bytes() for path in found}
    else:
        photographs = {f"made-{number:02}.jpg": made(number) for number in range(12)}
        source = f"{len(photographs)} made by Pillow, because scikit-image is not installed"
    whole = next(data for name, data in photographs.items() if name.endswith(".jpg"))
    photographs |= {TRUNCATED: whole[: len(whole) // 2], TEXT: b"This is a letter, not a photograph.\n"}
    for name, data in photographs.items():
        write_atomically(folder / name, data)
    return f"{source}, and 2 broken on purpose"


def shipped() -> Sequence[Path]:
    """The photographs of scikit-image, found without importing it (which takes a second); none if it is not installed."""
    spec = find_spec("skimage")
    places = spec.submodule_search_locations if spec is not None else None
    return [path for place in places or () for name in SHIPPED if (path := Path(place, "data", name)).is_file()]


def made(number: int, size: tuple[int, int] = (1600, 1200)) -> bytes:
    """A picture as costly to render as a photograph: a sky, a sun and grain."""
    sky = Image.linear_gradient("L").rotate(number * 30).resize(size)
    sun = Image.radial_gradient("L").rotate(number * 30).resize(size)
    grain = Image.effect_noise(size, 40)
    data = BytesIO()
    Image.merge("RGB", (sky, sun, grain)).save(data, "JPEG", quality=90)
    return data.getvalue()
