"""What is done outside of requests. Worker processes import this module; they need nothing of the web application."""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
from uuid import UUID

from PIL import Image, ImageOps, UnidentifiedImageError
from sqlalchemy.orm import undefer

from examples.fastapi_album.database import URL, Photo, sessions
from opwright import Opwright

ops = Opwright(URL)

SIZE = (240, 240)


@dataclass(frozen=True)
class Thumbnail:
    """What was rendered."""

    width: int
    height: int
    bytes: int


@ops.operation(retries=1, backoff=0.5, timeout=60)
async def render(photo: UUID) -> Thumbnail:
    """Make the thumbnail of a photo and keep it in the photo's row; a second run writes the same again."""
    async with sessions.begin() as session:
        row = await session.get_one(Photo, photo, options=[undefer(Photo.picture)])
        rendered, row.thumbnail = thumbnail(row.picture)
    return rendered


def thumbnail(picture: bytes) -> tuple[Thumbnail, bytes]:
    try:
        with Image.open(BytesIO(picture)) as original:
            image = ImageOps.exif_transpose(original).convert("RGB")
    except UnidentifiedImageError:
        raise ValueError("this is no picture that Pillow can read") from None
    image.thumbnail(SIZE)
    jpeg = BytesIO()
    image.save(jpeg, "JPEG")
    return Thumbnail(image.width, image.height, jpeg.tell()), jpeg.getvalue()
