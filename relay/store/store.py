"""The store as the rest of the relay sees it: typed calls, ciphertext only.

Replies are taken apart here and nowhere else. Each transition is one script and so one atomic step;
none is repeated by this module, because only its caller knows whether that is safe.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Sequence
from typing import Any, Final

import msgspec

from ..core.ids import Role
from . import keys, scripts
from .endpoint import Damaged, StoreError, pack
from .log_writer import LogWriter
from .pipe import Pipe, checked, lacks_script, resolving
from .records import (
    ROLE_OF,
    After,
    Attachment,
    Ended,
    Glance,
    GuardRecord,
    Landmark,
    NotAttached,
    Opened,
    PartyRecord,
    PartyView,
    ReportOnly,
    Seat,
    TripView,
    batched,
    pairs,
)
from .scripts import Script

#: What has to be said again of final news, in the order in which scripts/again.lua takes it.
_FINAL_FIELDS: Final = {
    "closed": ("reason", "detail"),
    "reassigned": ("role", "epoch"),
    "revoked": ("role", "count"),
    "state": ("deadline", "detail"),
}
# Python 3.11 takes its time to find a member in an enum's class.
_DRIVER: Final = Role.DRIVER
_CUSTOMER: Final = Role.CUSTOMER
_MULTI: Final = pack("MULTI")
_EXEC: Final = pack("EXEC")
_TIME: Final = pack("TIME")
#: What a glance reads of a record, packed but for the record's key: it is asked for all the time.
_BEFORE_RECORD, _GLANCED = pack(
    "HMGET", "", "state", "epoch", "deadline", "reason", "d.alias", "c.alias", "d.seat", "c.seat",
    "d.undelivered", "c.undelivered", "d.got", "c.got", "d.seen", "c.seen", "rules", "bars",
).split(b"$0\r\n\r\n")  # fmt: skip


def _glance(found: list[Any], lost: frozenset[Landmark]) -> Glance:
    n, (seconds, micros), r = map(checked, found)

    def text(value: bytes | None) -> str:
        return (value or b"").decode()

    return Glance(
        at=int(seconds) * 1000 + int(micros) // 1000,
        n=n,
        state=text(r[0]) or None,
        epoch=int(r[1] or 0),
        deadline=int(r[2] or 0),
        reason=text(r[3]),
        aliases={_DRIVER: text(r[4]), _CUSTOMER: text(r[5])},
        got={_DRIVER: text(r[10]), _CUSTOMER: text(r[11])},
        seen={_DRIVER: text(r[12]), _CUSTOMER: text(r[13])},
        seats={_DRIVER: Seat.parse(r[6]), _CUSTOMER: Seat.parse(r[7])},
        undelivered={_DRIVER: pairs(r[8]), _CUSTOMER: pairs(r[9])},
        rules=int(r[14] or 0),
        bars=r[15] or b"[]",
        lost=lost,
    )


class Store:
    """Calls on the store over one `Pipe`. Every method raises `StoreError`."""

    def __init__(
        self,
        pipe: Pipe,
        *,
        on_final: Callable[[dict[str, Any]], None] = lambda _: None,
        on_unstored: Callable[[str, str, str], None] = lambda *_: None,
    ) -> None:
        self.pipe = pipe
        #: Gets what must not be undone, as its script tells it to every node, when it is answered.
        self.on_final = on_final
        #: Gets trip, reason and detail of an end at once that may not have been done.
        self.on_unstored = on_unstored

    # --- scripts ----------------------------------------------------------------------------------

    async def run(self, script: Script, key: str, *args: str | bytes | int) -> Any:
        """Run a script on the keys that share `key`'s slot."""
        return await self._run(script, pack("EVALSHA", script.sha, 1, key, *args))

    async def _run(self, script: Script, call: bytes) -> Any:
        answered = self.pipe.new_answer()
        self._run_soon(script, call, resolving(answered))
        return checked(await answered)

    def _run_soon(self, script: Script, call: bytes, callback: Callable[[Any], None]) -> None:
        """`run` for whoever acts on the raw reply as it comes."""

        def take(reply: Any) -> None:
            if lacks_script(reply):
                # The store was restarted or failed over. Nothing ran, so running it now is safe. Of
                # several servers one may be away; whether it matters the second try tells.
                self.pipe.send(
                    pack("SCRIPT", "LOAD", script.text),
                    lambda _: self.pipe.send(call, callback, firm=script.firm),
                )
            else:
                callback(reply)

        self.pipe.send(call, take, firm=script.firm)

    def say_again_soon(self, news: Sequence[dict[str, Any]]) -> None:
        """Tell the store what must not be undone, as its scripts told it: first of all that is sent
        on a new connection."""
        if news:
            self.pipe.send(pack("SCRIPT", "LOAD", scripts.AGAIN.text))
        for one in news:
            said = [one.get(name, "") for name in _FINAL_FIELDS[one["op"]]]
            key = keys.trip(one["trip"])
            self.pipe.send(
                pack("EVALSHA", scripts.AGAIN.sha, 1, key, one["trip"], one["op"], *said)
            )

    async def load_scripts(self) -> None:
        """Make every script known to the store, so that the first callers need not wait."""
        loading = [
            self.pipe.call_raw(pack("SCRIPT", "LOAD", script.text)) for script in scripts.ALL
        ]
        for answered in loading:
            checked(await answered)

    async def open(
        self,
        trip: str,
        *,
        requested_at: int,
        max_duration_s: int,
        longest_trip_s: int,
        token_ttl_s: int,
        retention_s: int,
        report_window_s: int,
        policy: bytes,
        allow: bytes,
        messages_key: bytes,
        bars: bytes,
        mark: bytes,
        driver: PartyRecord,
        customer: PartyRecord,
    ) -> Opened:
        """Open a channel; `bars` as `core.bars` writes them, `mark` as `ask_mark` found it."""
        fields: list[str | bytes | int] = [
            "retention_s", retention_s, "report_window_s", report_window_s,
            "policy", policy, "allow", allow, "allow_ever", allow, "messages_key", messages_key,
            "bars", bars,
        ]  # fmt: skip
        for letter, party in (("d", driver), ("c", customer)):
            fields += [
                f"{letter}.party", party.party, f"{letter}.alias", party.alias,
                f"{letter}.locale", party.locale, f"{letter}.phone", party.phone,
            ]  # fmt: skip
        reply = await self.run(
            scripts.OPEN, keys.trip(trip), trip, requested_at, max_duration_s, longest_trip_s,
            driver.token_digest, customer.token_digest, token_ttl_s, mark, *fields,
        )  # fmt: skip
        return Opened(reply[0].decode(), *reply[1:])

    def ask_mark(self, trip: str) -> asyncio.Future[Any]:
        """Ask for what changes whenever a party that may come into this trip is sanctioned.

        To be asked before the sanctions are read: `open` and `reassign` then tell if it has
        changed. The future gets a raw reply.
        """
        return self.pipe.call_raw(pack("GET", keys.sanctioned(trip)))

    async def end(self, trip: str, *, grace_s: int, detail: str) -> Ended:
        try:
            state, closed, deadline = await self.run(
                scripts.END, keys.trip(trip), trip, grace_s, detail
            )
        except StoreError:
            if grace_s == 0:
                self.on_unstored(trip, "ended", detail)
            raise
        ended = Ended(
            state.decode(), int(closed) if closed else None, int(deadline) if deadline else None
        )
        if ended.state == "grace":
            self.on_final(
                {"op": "state", "trip": trip, "state": "grace", "deadline": ended.deadline,
                 "detail": detail}
            )  # fmt: skip
        else:
            self.on_final({"op": "closed", "trip": trip, "reason": "ended", "detail": detail})
        return ended

    async def end_again(self, trip: str, *, reason: str, detail: str) -> None:
        """Close a channel that the store may have closed already."""
        await self.run(scripts.AGAIN, keys.trip(trip), trip, "closed", reason, detail)

    async def reassign(
        self,
        trip: str,
        role: Role,
        *,
        epoch: int,
        party: PartyRecord,
        token_ttl_s: int,
        bars: bytes,
        mark: bytes,
    ) -> tuple[str, int]:
        """Give (outcome, epoch); outcomes are those of scripts/reassign.lua."""
        reply = await self.run(
            scripts.REASSIGN, keys.trip(trip), trip, role.letter, epoch, party.party, party.alias,
            party.locale, party.phone, party.token_digest, token_ttl_s, bars, mark,
        )  # fmt: skip
        outcome, following = reply[0].decode(), reply[1] if len(reply) > 1 else 0
        if outcome == "reassigned":
            self.on_final(
                {"op": "reassigned", "trip": trip, "role": role.letter, "epoch": following}
            )
        return outcome, following

    async def token(
        self, trip: str, role: Role, *, party: str, digest: str, token_ttl_s: int, revoke: bool
    ) -> str:
        """Give the outcome: ok, party, no_trip or is_closed."""
        reply = await self.run(
            scripts.TOKEN, keys.trip(trip), trip, role.letter, party, digest, token_ttl_s,
            int(revoke),
        )  # fmt: skip
        outcome: bytes = reply[0]
        if len(reply) > 1:
            self.on_final({"op": "revoked", "trip": trip, "role": role.letter, "count": reply[1]})
        return outcome.decode()

    async def allowed_ever(self, trip: str) -> bytes:
        """All that was ever allowed in a trip, as `change` takes it."""
        found: bytes | None = await self.pipe.call("HGET", keys.trip(trip), "allow_ever")
        return found or b""

    async def change(
        self,
        trip: str,
        *,
        deadline: int | None,
        policy: bytes | None,
        allow: bytes | None,
        allow_ever: bytes = b"",
        allowed_before: bytes = b"",
    ) -> str:
        """Give the outcome: ok, past, ceiling, no_trip, is_ending or is_closed; or raced, if
        something was allowed since `allowed_ever` gave `allowed_before`."""
        reply = await self.run(
            scripts.CHANGE, keys.trip(trip), trip, deadline or "", allow or "", policy or "",
            allow_ever, allowed_before,
        )  # fmt: skip
        outcome: bytes = reply[0]
        return outcome.decode()

    def attach_soon(
        self,
        trip: str,
        *,
        digest: str,
        node: str,
        connection: str,
        device: str,
        attempt: int,
        epoch: int,
        after: str,
        after_id: str,
        page: int,
        pending: Sequence[str],
        callback: Callable[[Attachment | NotAttached | StoreError], None],
    ) -> None:
        """Seat a connection. `callback` is called as the answer comes: what the store answers later
        finds the connection seated. `after_id` is the message at `after`, if the app names it;
        `page` is how much of the log after it comes along."""

        def take(reply: Any) -> None:
            found: Attachment | NotAttached | StoreError
            try:
                found = self._attachment(checked(reply))
            except StoreError as error:
                found = error
            except (ValueError, TypeError, IndexError, msgspec.DecodeError):
                found = Damaged("a channel's record is damaged")
            callback(found)

        call = pack(
            "EVALSHA", scripts.ATTACH.sha, 1, keys.trip(trip), trip, digest, node, connection,
            device, attempt, epoch, after, after_id, page, *pending,
        )  # fmt: skip
        self._run_soon(scripts.ATTACH, call, take)

    @staticmethod
    def _attachment(r: list[Any]) -> Attachment | NotAttached:
        outcome = r[0].decode()
        if outcome in ("is_closed", "gone"):
            lost = tuple(post_id for post_id, _ in pairs(r[3]))
            return NotAttached(outcome, ROLE_OF[r[1].decode()], r[2].decode(), lost)
        if outcome != "attached":
            return NotAttached(outcome)
        return Attachment(
            role=ROLE_OF[r[1].decode()],
            epoch=r[2],
            state=r[3].decode(),
            deadline=r[4],
            messages_key=r[5],
            n=r[6],
            head=(r[7], r[8].decode()),
            peer_alias=r[10].decode(),
            peer_seat=Seat.parse(r[11]),
            peer_got=r[12].decode() or None,
            peer_seen=r[13].decode() or None,
            got=r[14].decode() or None,
            replaced=Seat.parse(r[15]),
            since_last_s=r[16] / 1000 if r[16] >= 0 else None,
            after=r[17].decode(),
            lost=[post_id.decode() for post_id in r[18]],
            undelivered=[post_id for post_id, _ in pairs(r[19])],
            locale=r[20].decode(),
            bars=r[21],
            page=[r[22], [r[4], r[21]]],
        )

    async def report_only(self, trip: str, *, digest: str) -> ReportOnly | NotAttached:
        """Say who may report with this token; nobody is seated."""
        r = await self.run(scripts.REPORT_ONLY, keys.trip(trip), trip, digest)
        outcome = r[0].decode()
        if outcome == "is_closed":
            lost = tuple(post_id for post_id, _ in pairs(r[3]))
            return NotAttached(outcome, ROLE_OF[r[1].decode()], r[2].decode(), lost)
        if outcome != "report_only":
            return NotAttached(outcome)
        return ReportOnly(
            role=ROLE_OF[r[1].decode()],
            party=r[2].decode(),
            epoch=r[3],
            until=r[4],
            state=r[5].decode(),
            peer_alias=r[6].decode(),
            locale=r[7].decode(),
        )

    def detach_soon(
        self,
        trip: str,
        role: Role,
        *,
        node: str,
        connection: str,
        callback: Callable[[Seat | None], None],
    ) -> None:
        """Free the seat if it is this connection's; `callback` gets the peer's seat then, if it has
        one. What fails stays a seat in name only: the next attach takes it over."""

        def take(reply: Any) -> None:
            callback(Seat.parse(reply) if isinstance(reply, bytes) else None)

        call = pack(
            "EVALSHA", scripts.DETACH.sha, 1, keys.trip(trip), trip, role.letter, node, connection
        )
        self._run_soon(scripts.DETACH, call, take)

    async def post(
        self,
        trip: str,
        *,
        epoch: int,
        sender: str,
        post_id: str,
        sealed: bytes,
        masked: bool,
        after: After | None,
    ) -> tuple[str, bytes, int]:
        """Store a message unless its id is there already, and tell every node; give (outcome,
        entry id, n)."""
        post = LogWriter(trip, epoch).post_if(
            post_id, sender.encode(), sealed, after, again=True, masked=masked, tell=True
        )
        reply = await self._run(scripts.POST, post)
        if len(reply) == 1:
            return reply[0].decode(), b"", 0
        return reply[0].decode(), reply[1], reply[2]

    def found_soon(self, trip: str, role: Role, *, epoch: int, classes: Sequence[str]) -> None:
        """Count what the guard found in a post that is not stored, for the operators."""
        self.pipe.send(
            pack("EVALSHA", scripts.FOUND.sha, 1, keys.trip(trip), trip, role.letter, epoch,
                 *classes)
        )  # fmt: skip

    async def sweep(self, partition: int, at_most: int) -> int:
        """Do what is due in a partition; give how much that was."""
        done: int = await self.run(scripts.SWEEP, keys.due(partition), at_most)
        return done

    async def sweep_all(self, at_most: int) -> int:
        """Do what is due in every partition, at most so much in each; give how much that was.

        One future for all answers: this is done again and again while nothing is due. What a server
        that is away had to do is done at another time.
        """
        answers: list[Any] = []
        answered = self.pipe.new_answer()

        def take(reply: Any) -> None:
            answers.append(reply)
            if len(answers) == keys.PARTITIONS and not answered.done():
                answered.set_result(None)

        for partition in range(keys.PARTITIONS):
            command = pack("EVALSHA", scripts.SWEEP.sha, 1, keys.due(partition), at_most)
            self.pipe.send(command, take, firm=scripts.SWEEP.firm)
        await answered
        if any(map(lacks_script, answers)):
            await self.load_scripts()
        return sum(reply for reply in answers if isinstance(reply, int))

    # --- reads ------------------------------------------------------------------------------------

    def read_log(
        self, trip: str, epoch: int, after: bytes | str, count: int, callback: Callable[[Any], None]
    ) -> None:
        """Ask for up to `count` entries after a position, and what decides which of them count;
        `callback` gets the raw reply, `[entries, [deadline, bars]]`."""
        start = b"(" + (after.encode() if isinstance(after, str) else after) if after else b"-"
        page = pack("XRANGE", keys.log(trip, epoch), start, "+", "COUNT", count)
        what_holds = pack("HMGET", keys.trip(trip), "deadline", "bars")
        self.pipe.send(_MULTI + page + what_holds + _EXEC, callback, skip=3)

    async def log_page(self, trip: str, epoch: int, after: bytes, count: int) -> list[Any]:
        """Up to `count` entries after a position, as the store gives them."""
        key = keys.log(trip, epoch)
        page: list[Any] = await self.pipe.call("XRANGE", key, b"(" + after, "+", "COUNT", count)
        return page

    async def glance(self, trip: str, epoch: int) -> Glance:
        """Look at a channel that this node serves."""
        answered: asyncio.Future[Glance | StoreError] = self.pipe.new_answer()
        self.glance_soon(trip, epoch, answered.set_result)
        found = await asyncio.shield(answered)
        if isinstance(found, StoreError):
            raise found
        return found

    def glance_soon(
        self,
        trip: str,
        epoch: int,
        callback: Callable[[Glance | StoreError], None],
        entries: Collection[Landmark] = (),
    ) -> None:
        """`glance` without a task of its own, for whoever looks at thousands.

        `entries` are to be looked for in the log.
        """
        pages: list[Any] = []

        def all_of_it(reply: Any) -> None:
            try:
                held = zip(entries, pages, strict=True)
                lost = frozenset(
                    entry
                    for entry, page in held
                    if not checked(page) or page[0][1][1].decode() != entry[1]
                )
                found: Glance | StoreError = _glance(checked(reply), lost)
            except StoreError as error:
                found = error
            except (ValueError, TypeError, IndexError):
                found = Damaged("a channel's record is damaged")
            callback(found)

        log = keys.log(trip, epoch)
        for at, _ in entries:
            self.pipe.send(pack("XRANGE", log, at, at), pages.append)
        # The record last: if the log is in use then, it was when the entries were looked for. The
        # time with it: of several servers only this one's clock says whether a deadline is over.
        record = keys.trip(trip).encode()
        state = b"%b$%d\r\n%b\r\n%b" % (_BEFORE_RECORD, len(record), record, _GLANCED)
        self.pipe.send(_MULTI + pack("XLEN", log) + _TIME + state + _EXEC, all_of_it, skip=4)

    async def guard_record(self, trip: str) -> GuardRecord | None:
        """What a trip's guard is made of; None once the trip is closed, or if there is none."""
        r = await self.pipe.call(
            "HMGET", keys.trip(trip), "epoch", "rules", "policy", "allow",
            "d.phone", "c.phone", "d.since", "c.since", "d.alias", "c.alias",
            "d.masks_before", "c.masks_before", "s.masks_before", "gone.masks",
        )  # fmt: skip
        if None in r[4:10]:
            return None
        try:
            return GuardRecord(
                epoch=int(r[0]),
                rules=int(r[1] or 0),
                policy=msgspec.json.decode(r[2] or b"{}", type=dict[str, str]),
                allow=msgspec.json.decode(r[3] or b"[]", type=list[str]),
                phones={Role.DRIVER: (r[4], int(r[6])), Role.CUSTOMER: (r[5], int(r[7]))},
                aliases={Role.DRIVER: r[8].decode(), Role.CUSTOMER: r[9].decode()},
                masks_before={
                    letter: int(n or 0) for letter, n in zip("dcs", r[10:13], strict=True)
                },
                masks_gone=int(r[13] or 0),
            )
        except (ValueError, TypeError, msgspec.DecodeError):
            raise Damaged("a channel's record is damaged") from None

    async def messages_key(self, trip: str) -> tuple[str | None, int, bytes]:
        """Give (state, epoch, wrapped key), for whoever posts without being attached."""
        state, epoch, key = await self.pipe.call(
            "HMGET", keys.trip(trip), "state", "epoch", "messages_key"
        )
        return state.decode() if state else None, int(epoch or 0), key or b""

    async def view(self, trip: str) -> TripView | None:
        """A channel as the platform may see it, or None."""
        living = self.pipe.call_raw(pack("ZRANGE", keys.NODES, 0, -1))
        r = await self.pipe.call(
            "HMGET", keys.trip(trip), "state", "reason", "detail", "epoch", "opened", "deadline",
            "closed", "d.party", "c.party", "d.seat", "c.seat", "d.undelivered", "c.undelivered",
            "messages",
        )  # fmt: skip
        if r[0] is None:
            return None
        epoch = int(r[3])
        nodes = {name.decode() for name in checked(await living)}
        entries = await self.pipe.call("XLEN", keys.log(trip, epoch))
        parties = {
            role: PartyView(
                party.decode(), seat is not None and seat.node in nodes, len(pairs(lost))
            )
            for role, party, seat, lost in (
                (Role.DRIVER, r[7], Seat.parse(r[9]), r[11]),
                (Role.CUSTOMER, r[8], Seat.parse(r[10]), r[12]),
            )
            if party
        }
        return TripView(
            trip=trip,
            state=r[0].decode(),
            reason=(r[1] or b"").decode(),
            detail=(r[2] or b"").decode(),
            epoch=epoch,
            opened_at=int(r[4]) if r[4] else None,
            deadline=int(r[5]) if r[5] else None,
            closed_at=int(r[6]) if r[6] else None,
            messages=max(0, entries - 1) + int(r[13] or 0),
            parties=parties,
        )

    async def open_trips(
        self, partition: int, after: tuple[int, str], count: int
    ) -> list[tuple[int, str]]:
        """(opened, name) of open channels in a partition, the oldest first, after one of them."""
        found: list[tuple[int, str]] = []
        offset = 0
        while len(found) < count:
            reply = await self.pipe.call(
                "ZRANGE", keys.open_index(partition), after[0], "+inf", "BYSCORE",
                "LIMIT", offset, count, "WITHSCORES",
            )  # fmt: skip
            page = [(int(at), name.decode()) for name, at in batched(reply)]
            found += [one for one in page if one > after]
            if len(page) < count:
                break
            offset += count
        return found[:count]
