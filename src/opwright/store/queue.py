"""The gateway to the queue: claiming, and the fenced writes that end a claim."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from operator import attrgetter
from typing import NamedTuple

import msgspec

from opwright.clock import SECOND, SystemClock
from opwright.errors import InvalidOperation
from opwright.model.claim import Claim, DelayReason, End, NoteKind, Postpone, Release, Verdict
from opwright.model.ids import id_at
from opwright.model.operation import NewOperation
from opwright.model.options import Options
from opwright.model.status import OutcomeCode
from opwright.model.worker import Remark
from opwright.store import places, submits
from opwright.store.engine import Engine, Lane, Plan, Row, call
from opwright.telemetry import logger

_encode = msgspec.json.Encoder().encode
_options = msgspec.json.Decoder(Options).decode
_waits = msgspec.json.Decoder(tuple[int, tuple[str, ...]]).decode
LOST_AFTER = 3 * 3600 * SECOND  # an hour for a transaction; one for the clock of who submits, one for that of who looks
_DEFAULTS = Options()
_SUCCEEDED = OutcomeCode.SUCCEEDED

_urgency = attrgetter("rank", "operation")

Settlement = tuple[Claim, Verdict]


class Peek(NamedTuple):
    """What a look at the queue found.

    ``queues`` have something ready and are not ``paused``. ``due`` is when the next delayed operation is, ``free`` when the next
    slot falls free, ``now`` the engine's clock (microseconds). ``fresh``: something asks for a slot. ``followers``: something
    follows others.
    """

    queues: tuple[str, ...]
    paused: tuple[str, ...]
    due: int | None
    free: int | None
    now: int
    fresh: bool
    followers: bool


class Marked(msgspec.Struct):
    """What outlives a renewal: operation, token, worker pid, begun, updated."""

    operation: int = msgspec.field(name="i")
    token: int = msgspec.field(name="t")
    worker: int | None = msgspec.field(name="w")
    begun: int | None = msgspec.field(name="b")
    updated: int | None = msgspec.field(name="u")


class Orphan(NamedTuple):
    """A claim that no living host has, and whether somebody had asked to cancel it."""

    claim: Claim
    asked: bool


class _Return(msgspec.Struct, omit_defaults=True):
    """Rows of both ``postpone`` and ``release``: counters x (errors) and d (deaths), w the pause, c why, e the note."""

    i: int
    t: int
    a: int
    x: int
    d: int
    q: str
    p: int
    f: str
    w: int | None = None
    c: int | None = None
    e: str | None = None
    k: int | None = None
    l: str | None = None  # noqa: E741 - short names make the JSON short
    v: int = 0


class _Note(msgspec.Struct, omit_defaults=True):
    i: int
    t: int
    a: int
    k: int
    e: str
    m: int
    n: int
    f: float | None = None


class Queue:
    """Claim and settle.

    Every write after a claim names (operation, token); what is stale lands nowhere and is left out of the answer.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def peek(self) -> Peek:
        """Which queues have something ready, and what else there is to do."""
        rows = await self._engine.run("peek", Lane.CLAIM)
        first, filled = rows[0], [row for row in rows if row["queue"] is not None]
        return Peek(
            tuple(row["queue"] for row in filled if not row["paused"]), tuple(row["queue"] for row in filled if row["paused"]),
            first["due"], first["free"], first["now"], bool(first["fresh"]), bool(first["followers"]),
        )  # fmt: skip

    async def claim(
        self, *, host: int, token: int, queue: str, triggers: list[str], limit: int, ahead: bool = False
    ) -> list[Claim]:
        """Take at most ``limit`` operations of a queue, the most urgent first. Nothing if the host is not alive."""
        rows = await self._engine.run(
            "claim", Lane.CLAIM, host=host, token=token, queue=queue, triggers=triggers, limit=limit, ahead=ahead
        )
        claims = [_claim(row, token, queue) for row in rows]
        claims.sort(key=_urgency)  # no engine promises the order of returned rows
        if paced := [claim.operation for claim in claims if claim.paced]:
            await self._engine.run("pace", Lane.CLAIM, rows=_encode(paced).decode())
        return claims

    def claimed(self, operation: NewOperation, token: int) -> Claim:
        """The claim that a submit has made under this token."""
        return Claim(
            operation.id, token, operation.trigger, operation.inputs, operation.queue, -operation.priority, 0, 0,
            _budget(operation.id, operation.options), submitter=operation.submitter,
        )  # fmt: skip

    async def settle(self, host: int, settlements: Sequence[Settlement]) -> set[int]:
        """Write verdicts, each kind in one statement; the operations for which it landed."""
        if _consequential(settlements):
            return await self._engine.play(_settle(host, settlements), Lane.SETTLE)
        landed: set[int] = set()
        for name, rows in _rows(settlements):
            landed |= await self._write(name, rows, host=host) if name == "finish" else await self._write(name, rows)
        return landed

    async def promote(self, limit: int = 5000) -> list[str]:
        """Make ready what is due, as far as its lane has slots; the queues of what became ready, one entry per operation."""
        rows = await self._engine.run("promote", Lane.CLAIM, limit=limit)
        ready = [row["queue"] for row in rows if not row["bound"]]
        return ready if len(ready) == len(rows) else ready + await self.admit()

    async def admit(self) -> list[str]:
        """Fill the lanes in which a slot has fallen free or something new waits; the queues, one entry per operation."""
        queues, more = await self._engine.play(places.admit(), Lane.CLAIM)
        while more:  # a batch at a time, until the newest has been seen: its lane may be free though thousands wait before it
            admitted, more = await self._engine.play(places.admit(), Lane.CLAIM)
            queues += admitted
        return queues

    async def follow(self, ended: Sequence[int]) -> list[str]:
        """Let go on what followed these operations; the queues, one entry per operation."""
        return await self._engine.play(places.follow(ended, lost()), Lane.CLAIM)

    async def overlooked(self, position: tuple[int, int], limit: int) -> tuple[list[int], tuple[int, int]]:
        """A window of what is followed, and ended without anybody having noticed; and the position behind the window."""
        predecessor, operation = position
        values = {"predecessor": predecessor, "operation": operation, "limit": limit, "lost": lost()}
        rows = await self._engine.run("overlooked", Lane.CONTROL, **values)
        behind = (rows[-1]["predecessor"], rows[-1]["operation"]) if len(rows) == limit else (0, 0)
        return [row["predecessor"] for row in rows if row["over"]], behind

    async def note(self, remarks: Sequence[Remark]) -> None:
        """Write down what running operations say of themselves, in order."""
        newest = {(one.operation, one.token): number for number, one in enumerate(remarks) if one.kind == NoteKind.PROGRESS}
        rows = [
            _Note(one.operation, one.token, one.attempt, one.kind, one.text, one.at, number, one.fraction)
            for number, one in enumerate(remarks)
            if one.kind != NoteKind.PROGRESS or newest[one.operation, one.token] == number
        ]
        await self._engine.run("note", Lane.SETTLE, rows=_encode(rows).decode())

    async def mark(self, rows: Sequence[Marked]) -> None:
        """Note worker, begin and last sign of life of what has run longer than a renewal."""
        if rows:
            await self._engine.run("mark", Lane.LEASE, rows=_encode(rows).decode())

    async def asked(self, host: int) -> list[tuple[int, int]]:
        """(operation, token) of this host's claims that somebody wants cancelled."""
        return [tuple(row) for row in await self._engine.run("asked", Lane.CONTROL, host=host)]

    async def claims_of(self, host: int) -> list[tuple[int, int]]:
        """(operation, token) of every claim in the name of a host."""
        return [tuple(row) for row in await self._engine.run("claims_of", Lane.CLAIM, host=host)]

    async def orphans(self, limit: int, after: int = 0) -> list[Orphan]:
        """Claims that no living host has, of operations behind one; also where the host's row is gone."""
        rows = await self._engine.run("orphans", Lane.CONTROL, limit=limit, after=after)
        return [_orphan(row) for row in rows]

    async def give_back(self, host: int, claims: Sequence[tuple[int, int]]) -> None:
        """Make ready again, uncharged, what a host claimed without knowing it: (operation, token) each."""
        rows = _encode([{"i": operation, "t": token} for operation, token in claims]).decode()
        await self._engine.run("give_back", Lane.CLAIM, host=host, rows=rows)

    async def forget_requests(self) -> None:
        """Delete requests to cancel what has ended by itself."""
        await self._engine.run("forget_requests", Lane.CONTROL)

    async def drop_unrecorded(self) -> list[int]:
        """Delete the claims of what has no record, with all that is left of it; which these were.

        Somebody deleted it by hand. No verdict and no takeover ends such a claim where a host has claimed it again without
        being told of it, or has died.
        """
        return await self._engine.play(_drop_unrecorded(), Lane.CONTROL)

    async def ready_after(self, position: tuple[str, int, int], limit: int) -> list[Row]:
        """A window of the ready queue: rows of queue, rank, operation, trigger behind a position."""
        queue, rank, operation = position
        rows = await self._engine.run("ready_after", Lane.CONTROL, queue=queue, rank=rank, operation=operation, limit=limit)
        return list(rows)

    async def uncommitted(self, claims: Sequence[Claim]) -> tuple[set[int], set[int]]:
        """Of claims whose end may have been committed by their own triggers: those that stand, and those still being decided."""
        rows = _encode([{"i": claim.operation, "t": claim.token} for claim in claims]).decode()
        found = await self._engine.run("uncommitted", Lane.SETTLE, rows=rows)
        return {row["operation"] for row in found if row["free"]}, {row["operation"] for row in found if not row["free"]}

    async def fail_ready(self, failures: Iterable[tuple[str, int, int, str]]) -> set[int]:
        """End unclaimed operations as FAILED: (queue, rank, operation, error) each."""
        rows = [{"q": queue, "p": rank, "i": operation, "e": error} for queue, rank, operation, error in failures]
        return await self._engine.play(_fail(_encode(rows).decode()), Lane.SETTLE)

    async def _write(self, name: str, rows: object, **values: object) -> set[int]:
        landed = await self._engine.run(name, Lane.SETTLE, rows=_encode(rows).decode(), **values)
        return {row[0] for row in landed}


def _consequential(settlements: Sequence[Settlement]) -> list[Settlement]:
    """Those that write more than the verdict: a slot falls free, or somebody gets the operation back."""
    return [
        (claim, verdict) for claim, verdict in settlements
        if (claim.lane is not None or claim.submitter is not None or verdict.lapsed if isinstance(verdict, End)
            else isinstance(verdict, Postpone) and (claim.lane is not None or verdict.reason is DelayReason.WAIT))
    ]  # fmt: skip


def _settle(host: int, settlements: Sequence[Settlement]) -> Plan[set[int]]:
    settlements = yield from _unanswered(settlements)
    landed: set[int] = set()
    for name, rows in _rows(settlements):
        values: dict[str, object] = {"host": host} if name == "finish" else {}
        landed |= {row[0] for row in (yield call(name, rows=_encode(rows).decode(), **values))}
    followed = [one for one in _consequential(settlements) if one[0].operation in landed]
    waiting = [claim.operation for claim, verdict in followed if isinstance(verdict, Postpone)]
    if waiting:
        yield call("hasten", rows=_encode(waiting).decode())
    yield from submits.free([claim.operation for claim, _ in followed if claim.lane is not None])
    yield from submits.hand_back([claim.operation for claim, verdict in followed if isinstance(verdict, End)])
    return landed


def _unanswered(settlements: Sequence[Settlement]) -> Plan[list[Settlement]]:
    """What is to fail because nobody resumed it, and was resumed while it ran, is asked once more instead."""
    lapsed = {claim.operation: claim for claim, verdict in settlements if isinstance(verdict, End) and verdict.lapsed}
    if not lapsed:
        return list(settlements)
    rows = yield call("answered", rows=_encode(list(lapsed)).decode())
    late = {row["operation"] for row in rows if row["answers"] > len(lapsed[row["operation"]].answers)}
    return [
        (claim, Postpone(0, DelayReason.WAIT, claim.errors, claim.deaths) if claim.operation in late else verdict)
        for claim, verdict in settlements
    ]


def _fail(rows: str) -> Plan[set[int]]:
    failed = [row[0] for row in (yield call("fail_ready", rows=rows))]
    yield from submits.over(failed)
    return set(failed)


def _drop_unrecorded() -> Plan[list[int]]:
    gone = [row["operation"] for row in (yield call("drop_unrecorded"))]
    if gone:
        yield call("sweep", operations=gone)
        yield from submits.free(gone)
    return gone


def lost() -> int:
    """Ids made before this moment belong to operations that are committed, or never will be."""
    return id_at(SystemClock().now() - LOST_AFTER)


def _rows(settlements: Sequence[Settlement]) -> Iterable[tuple[str, object]]:
    """The settlements as rows, gathered by statement; ends by token and operation."""
    ends: defaultdict[int, dict[int, object]] = defaultdict(dict)
    postponed, released = [], []
    for claim, verdict in settlements:
        if isinstance(verdict, End):
            ends[claim.token][claim.operation] = _end(claim, verdict)
        elif isinstance(verdict, Postpone):
            postponed.append(_return(claim, verdict, round(verdict.delay * SECOND), verdict.reason))
        else:
            released.append(_return(claim, verdict, None, None))
    return [(name, rows) for name, rows in (("finish", ends), ("postpone", postponed), ("release", released)) if rows]


def _end(claim: Claim, end: End) -> object:
    """What there is to tell of an end. Of most it is when they began, and reading more costs the database twice as much."""
    if end.code is _SUCCEEDED and end.result is None and claim.key is None and not claim.errors + claim.deaths and claim.begun:
        return claim.begun
    return end.code, claim.attempt, claim.begun, end.result, end.error, claim.key is not None


def _return(claim: Claim, verdict: Postpone | Release, wait: int | None, reason: int | None) -> _Return:
    row = _Return(
        claim.operation, claim.token, claim.attempt, verdict.errors, verdict.deaths,
        claim.queue, claim.rank, claim.trigger, wait, reason, verdict.note,
    )  # fmt: skip
    if isinstance(verdict, Postpone):
        row.k, row.l, row.v = verdict.kind, claim.lane, len(claim.answers)
    return row


def _claim(row: Row, token: int, queue: str) -> Claim:
    operation, rank, errors, deaths, trigger, inputs, options, key, asked, submitter, lane, paced, waits = row
    budget = _DEFAULTS if options is None else _budget(operation, options)
    claim = Claim(
        operation, token, trigger, inputs, queue, rank, errors, deaths, budget, key, bool(asked), None,
        submitter, lane, bool(paced),
    )  # fmt: skip
    if waits is not None:
        claim.lapsed, claim.answers = _waits(waits)
    return claim


def _budget(operation: int, text: str | None) -> Options:
    """The budgets of a row. What cannot be read (a newer program wrote it) must not stop the others in its batch."""
    if text is None:
        return _DEFAULTS
    try:
        return _options(text)
    except (ValueError, InvalidOperation) as error:
        logger.warning("operation %s: its options cannot be read (%s); the defaults hold", operation, error)
        return _DEFAULTS


def _orphan(row: Row) -> Orphan:
    claim = Claim(
        row["operation"], row["token"], row["trigger"], "", row["queue"], row["rank"],
        row["errors"], row["deaths"], _budget(row["operation"], row["options"]), row["key"], bool(row["asked"]), row["begun"],
        row["submitter"], row["lane"], bool(row["paced"]),
    )  # fmt: skip
    return Orphan(claim, asked=bool(row["asked"]))
