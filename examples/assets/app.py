"""The application: one trigger, which renders a photograph. Worker processes import this module; importing it does nothing."""

from __future__ import annotations

import time
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from PIL import Image, ImageOps, UnidentifiedImageError

from examples.assets.files import write_atomically
from opwright import Opwright

ops = Opwright()  # in the database that OPWRIGHT_URL names: the program sets it, worker processes inherit it


@dataclass(frozen=True)
class Rendition:
    """A photograph as it was rendered; ``seconds`` is what it took in its worker."""

    path: str
    width: int
    height: int
    bytes: int
    seconds: float


class NoPhotographError(ValueError):
    """The file holds nothing that can be rendered."""


@ops.operation(timeout=60)
def render(photo: str, width: int, output: str) -> Rendition:
    """Write ``photo`` to ``output`` as a JPEG, ``width`` pixels wide. A narrower photograph keeps its size."""
    began = time.perf_counter()
    try:
        with Image.open(photo) as original:
            image = ImageOps.exif_transpose(original)  # cameras store pictures lying down, and say so
            profile = original.info.get("icc_profile") if original.mode == "RGB" else None
    except UnidentifiedImageError:
        raise NoPhotographError(f"{Path(photo).name} holds no picture that Pillow can read") from None
    image = image.convert("RGB")
    if image.width > width:
        image = image.resize((width, max(round(image.height * width / image.width), 1)), Image.Resampling.LANCZOS)
    jpeg = BytesIO()
    image.save(jpeg, "JPEG", quality=85, icc_profile=profile)
    write_atomically(Path(output), jpeg.getvalue())
    return Rendition(output, image.width, image.height, jpeg.tell(), time.perf_counter() - began)
