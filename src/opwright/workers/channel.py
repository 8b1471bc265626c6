"""What host and worker say to each other: messages, in frames, over one end each of a socket pair.

A frame is four bytes of length, big-endian, and a msgpack array of messages. What costs is the number of frames, not
their size, so both sides gather what comes within one turn of their loop.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Generic, TypeVar

import msgspec

from opwright.errors import OpwrightError
from opwright.model.worker import Remark, StatusUpdate, Task

LARGEST_FRAME = 64 * 1024 * 1024  # bytes; a longer one is no frame of ours

_HEADER = 4
_encode = msgspec.msgpack.Encoder().encode


class BadFrame(OpwrightError):
    """What came, or was to be sent, is no frame: it is longer than a frame may be, or holds no message."""


class _Message(msgspec.Struct, array_like=True):
    """Something that one side says to the other."""


class Hello(_Message, tag="hello"):
    """Host, once: mark what you run in the memory behind this descriptor, which you inherited."""

    marks: int


class Give(_Message, tag="give"):
    """Host: run this, after what you were given before."""

    task: Task


class Cancel(_Message, tag="cancel"):
    """Host: this operation is asked to stop."""

    operation: int
    token: int


class Recall(_Message, tag="recall"):
    """Host: give back what has not begun."""


class Leave(_Message, tag="leave"):
    """Host: end yourself, you are not needed any more. Said only to a worker that runs nothing."""


class Ready(_Message, tag="ready"):
    """Worker: the application is imported, so many slots are open."""

    slots: int


class Broken(_Message, tag="broken"):
    """Worker: the application cannot be set up; I end."""

    error: str


class Said(_Message, tag="said"):
    """Worker: what an operation says of itself. Always before its end."""

    remark: Remark


class Ended(_Message, tag="ended"):
    """Worker: what became of one task."""

    update: StatusUpdate


class Memory(_Message, tag="memory"):
    """Worker: so many bytes of me are resident."""

    resident: int


class Leaving(_Message, tag="leaving"):
    """Worker: somebody else asked me to end; give me nothing more."""


ToWorker = Hello | Give | Cancel | Recall | Leave
ToHost = Ready | Broken | Said | Ended | Memory | Leaving
Incoming = TypeVar("Incoming")


def frames(messages: Sequence[ToWorker] | Sequence[ToHost]) -> Iterator[bytes]:
    """The messages in as few frames as can hold them, mostly one."""
    body = _encode(messages)
    if len(body) <= LARGEST_FRAME:
        yield len(body).to_bytes(_HEADER, "big") + body
    elif len(messages) > 1:
        half = len(messages) // 2
        yield from frames(messages[:half])
        yield from frames(messages[half:])
    else:
        raise BadFrame(f"one message of {len(body):,} bytes; a frame holds at most {LARGEST_FRAME:,}")


class FrameReader(Generic[Incoming]):
    """Makes messages of a stream of bytes, however it was split. Whole frames are decoded where they lie."""

    def __init__(self, decoder: msgspec.msgpack.Decoder[list[Incoming]]) -> None:
        self._decode = decoder.decode
        self._rest = bytearray()
        self._missing = 0  # how many bytes at least until the frame in `_rest` is whole

    def feed(self, data: bytes | memoryview) -> list[Incoming]:
        """The messages that these bytes complete. Raises BadFrame."""
        if self._rest:
            self._rest += data
            self._missing -= len(data)
            if self._missing > 0:
                return []
            data = bytes(self._rest)
            self._rest.clear()
        return self._whole(memoryview(data))

    def _whole(self, view: memoryview) -> list[Incoming]:
        messages: list[Incoming] = []
        start, end = 0, len(view)
        while start < end:
            stop = start + _HEADER + (_size(view[start : start + _HEADER]) if end - start >= _HEADER else 0)
            if stop > end or end - start < _HEADER:
                self._rest += view[start:]
                self._missing = stop - end
                break
            messages += self._decoded(view[start + _HEADER : stop])
            start = stop
        return messages

    def _decoded(self, body: memoryview) -> list[Incoming]:
        try:
            return self._decode(body)
        except msgspec.MsgspecError as error:
            raise BadFrame(f"a frame of {len(body):,} bytes holds no message: {error}") from error


def _size(header: memoryview) -> int:
    size = int.from_bytes(header, "big")
    if size > LARGEST_FRAME:
        raise BadFrame(f"a frame of {size:,} bytes is announced; the largest has {LARGEST_FRAME:,}")
    return size


def host_reader() -> FrameReader[ToHost]:
    """Reads what a worker says."""
    return FrameReader(msgspec.msgpack.Decoder(list[ToHost]))


def worker_reader() -> FrameReader[ToWorker]:
    """Reads what the host says."""
    return FrameReader(msgspec.msgpack.Decoder(list[ToWorker]))
