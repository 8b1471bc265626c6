"""A network of our own between a program and PostgreSQL: it can fall silent, be cut, keep a message back, and lose an answer."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from urllib.parse import urlsplit, urlunsplit

from tests.servers import free_port

PIECE = 65_536
SSL_REQUEST = bytes.fromhex("0000000804d2162f")
FIELDS = b"SFATAL\0VFATAL\0C57P03\0Mthe database system is starting up\0\0"
STARTING = b"E" + (len(FIELDS) + 4).to_bytes(4, "big") + FIELDS


class Line:
    """One connection through the wire, and what was last said and heard on it: so a test knows whose it is."""

    def __init__(self, wire: "Wire", client: asyncio.StreamWriter, server: asyncio.StreamWriter) -> None:
        self._wire = wire
        self._client = client
        self._server = server
        self._awaited = False  # the answer that is to be lost
        self.said = self.heard = b""
        self.silent = False  # nothing passes any more, in either direction, and nobody is told

    async def outward(self, reader: asyncio.StreamReader) -> None:
        """What the client says."""
        while piece := await reader.read(PIECE):
            self.said = (self.said + piece)[-PIECE:]
            if self.silent:
                continue
            self._awaited = self._awaited or self._wire.is_to_lose(piece)
            await self._wire.passage(piece)
            if self._awaited and not self._wire.reaches:
                return
            self._server.write(piece)
            await self._server.drain()

    async def inward(self, reader: asyncio.StreamReader) -> None:
        """What the server answers. An answer that is to be lost ends the line."""
        while piece := await reader.read(PIECE):
            if self._awaited:
                return
            if not self.silent:
                self.heard = (self.heard + piece)[-PIECE:]
                self._client.write(piece)
                await self._client.drain()

    def cut(self) -> None:
        """End it on both sides."""
        self._client.close()
        self._server.close()


class Wire:
    """A TCP proxy before one server."""

    def __init__(self, host: str, port: int) -> None:
        self.port = free_port()
        self.lines: list[Line] = []
        self.reaches = True  # whether a statement whose answer is lost reaches the server
        self.lost = asyncio.Event()
        self.starting = False  # whoever comes is told that the server starts up
        self.refused = 0
        self._there = (host, port)
        self._is_it: Callable[[bytes], bool] = lambda _: False
        self._held: bytes | None = None
        self.came, self._go = asyncio.Event(), asyncio.Event()

    def url(self, address: str) -> str:
        """The address of a database, through this wire."""
        parts = urlsplit(address)
        return urlunsplit(parts._replace(netloc=f"{parts.username}@127.0.0.1:{self.port}"))

    def silence(self, *words: bytes, heard: bytes = b"") -> list[Line]:
        """Let every line on which all these words were said, and this was heard, fall silent; those lines."""
        lines = [
            line for line in self.lines if not line.silent and heard in line.heard and all(word in line.said for word in words)
        ]
        for line in lines:
            line.silent = True
        return lines

    def lose_answer(self, *words: bytes, reaches: bool = True) -> None:
        """Cut the line of the next message with all these words before its answer, or before it reaches the server."""
        self.reaches = reaches
        self.lost = asyncio.Event()
        self._is_it = lambda piece: all(word in piece for word in words)

    def is_to_lose(self, piece: bytes) -> bool:
        """Whether it is this message; once."""
        if self.lost.is_set() or not self._is_it(piece):
            return False
        self.lost.set()
        return True

    def hold(self, word: bytes) -> asyncio.Event:
        """Keep back the next message with this word, until the event is set; ``came`` tells that it is there."""
        self._held, self.came, self._go = word, asyncio.Event(), asyncio.Event()
        return self._go

    async def passage(self, piece: bytes) -> None:
        """Wait where a message is kept back."""
        if self._held is not None and self._held in piece:
            self._held = None
            self.came.set()
            await self._go.wait()

    async def carry(self, reader: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        """One connection, until either side ends it."""
        if self.starting:
            await self._refuse(reader, client)
            return
        try:
            answers, server = await asyncio.open_connection(*self._there)
        except OSError:
            client.close()
            return
        line = Line(self, client, server)
        self.lines.append(line)
        ways = [asyncio.ensure_future(line.outward(reader)), asyncio.ensure_future(line.inward(answers))]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            line.cut()
            self.lines.remove(line)

    async def _refuse(self, reader: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        self.refused += 1
        if await reader.read(PIECE) == SSL_REQUEST:
            client.write(b"N")
            await reader.read(PIECE)
        client.write(STARTING)
        await client.drain()
        client.close()


@asynccontextmanager
async def wire_to(address: str) -> AsyncIterator[Wire]:
    """A wire to the server of an address, for as long as the block lasts."""
    parts = urlsplit(address)
    wire = Wire(parts.hostname or "127.0.0.1", parts.port or 5432)
    tasks: set[asyncio.Task[None]] = set()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(wire.carry(reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    server = await asyncio.start_server(accept, "127.0.0.1", wire.port)
    try:
        yield wire
    finally:
        server.close()
        for task in tuple(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
