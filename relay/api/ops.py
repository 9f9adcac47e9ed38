"""The operators' calls: what the console does, for a person's own scripts and terminal.

Each comes with a personal key and is done in that person's name; who may do what is decided in
`relay.ops`, and every act is in the audit log. **No call opens evidence**: a key can be copied and
left in a script, so what people wrote is read in the console alone, by a person who has just shown
a second factor.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any, Final, Literal

from msgspec import UNSET

from ..core.caselife import CASE_ID
from ..core.casework import Outcome, StaffScope
from ..core.ids import PARTY_ID, Role
from ..ops.actor import Actor
from ..ops.audit import AuditEntry as StoredEntry
from ..ops.cases import CaseDetail as CaseFile
from ..ops.cases import CaseRow, no_case
from ..ops.channels import ChannelSight, PartySight, Result
from ..ops.desk import Desk
from ..ops.holds import Hold as StoredHold
from ..ops.refusals import OpsCode, Refused
from ..ops.sanctions import Sanction as StoredSanction
from ..ops.watch import Alarm as RaisedAlarm
from .auth import KeyScope
from .calls import LINES, Answer, Asked, Call
from .ops_types import (
    Alarm,
    AlarmList,
    AlarmSeen,
    AssignCase,
    AuditEntry,
    AuditPage,
    AuditQuery,
    Case,
    CaseDetail,
    CaseEvent,
    CaseList,
    CaseNote,
    CasesQuery,
    Channel,
    ChannelClosed,
    ChannelClosing,
    ChannelDetail,
    ChannelEvent,
    ChannelList,
    ChannelParty,
    ChannelsQuery,
    CloseCase,
    CloseChannel,
    CloseChannels,
    DecideAppeal,
    HandOverCase,
    Hold,
    HoldList,
    HoldReleased,
    ImposeSanction,
    PlaceHold,
    Sanction,
    SanctionList,
    SanctionsQuery,
    WithNote,
)
from .problems import Code, invalid, no_trip

STAFF: Final = frozenset({KeyScope.AGENT, KeyScope.SUPERVISOR})
SUPERVISORS: Final = frozenset({KeyScope.SUPERVISOR})

_STATES: Final[dict[str, Literal["open", "grace", "closed"]]] = {
    "open": "open",
    "grace": "grace",
    "closed": "closed",
}
_ROLES: Final[dict[str, Role]] = {role.letter: role for role in Role}


class OpsCalls:
    """The calls under `/v1/ops`."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def calls(self) -> list[Call]:
        """Every call of this module."""
        return [
            *self._channel_calls(),
            *self._case_calls(),
            *self._sanction_calls(),
            *self._supervisor_calls(),
        ]

    # --- channels ---------------------------------------------------------------------------------

    def _channel_calls(self) -> list[Call]:
        one = "/v1/ops/channels/{trip}"
        return [
            Call(
                "GET", "/v1/ops/channels", "listChannels", "Find open channels", self.channels,
                {200: ChannelList},
                "The newest first. A search for an id finds a closed one too; one that finds a "
                "party is in the audit log.",
                STAFF, query=ChannelsQuery,
            ),
            Call(
                "GET", one, "getChannel", "See a channel and what happened to it", self.channel,
                {200: ChannelDetail}, scopes=STAFF,
            ),
            Call(
                "POST", one + "/close", "closeChannel", "Close a channel by hand",
                self.close_channel, {200: ChannelClosed},
                "At once, on every node, for good. The parties are told only that it is closed.",
                STAFF, CloseChannel, codes=(Code.CONFLICT,),
            ),
            Call(
                "POST", "/v1/ops/closings", "closeChannels", "Close several channels by hand",
                self.close_channels, {200: ChannelClosing},
                "An agent may name 50, a supervisor 500; with more none is closed. The answer "
                "comes line by line as they are closed, each line a JSON object. A line with a "
                "`code` is a problem document: the trips after it were not tried.",
                STAFF, CloseChannels, codes=(Code.TOO_MANY,), media_type=LINES,
            ),
        ]  # fmt: skip

    async def channels(self, asked: Asked[None]) -> Answer:
        query: ChannelsQuery = asked.query
        try:
            page = await self._desk.channels.page(
                state=query.state,
                online=query.online,
                findings=query.findings,
                search=query.search,
                older=query.cursor,
                count=query.limit,
                by=_actor(asked),
            )
        except Refused as refusal:
            if refusal.field == "older":
                raise invalid("cursor", "is none that this relay gave. Begin without it.") from None
            raise
        return Answer(
            200,
            ChannelList([_channel(row) for row in page.rows], page.total_open, page.older or None),
        )

    async def channel(self, asked: Asked[None]) -> Answer:
        found = await self._desk.channels.detail(asked.trip())
        if found is None:
            raise no_trip()
        row = found.row
        return Answer(
            200,
            ChannelDetail(
                **_channel_fields(row),
                reason=row.reason,
                detail=row.detail,
                closed_at=row.closed_at or None,
                timeline=[
                    ChannelEvent(step.at, step.kind, _ROLES.get(step.role), step.detail)
                    for step in found.timeline
                ],
                findings_by_class={role.value: dict(n) for role, n in found.findings.items()},
                undelivered={role.value: one.undelivered for role, one in row.parties.items()},
                cases=found.cases,
            ),
        )

    async def close_channel(self, asked: Asked[CloseChannel]) -> Answer:
        trip, body = asked.trip(), asked.body
        closed = await self._desk.channels.close(_actor(asked), trip, body.reason, body.note)
        return Answer(200, ChannelClosed(closed.trip, closed.closed_at))

    async def close_channels(self, asked: Asked[CloseChannels]) -> Answer:
        body = asked.body
        closing = await self._desk.channels.close_several(
            _actor(asked), body.trips, body.reason, body.note
        )
        return Answer(200, _closings(closing), LINES)

    # --- cases ------------------------------------------------------------------------------------

    def _case_calls(self) -> list[Call]:
        one = "/v1/ops/cases/{case}"

        def act(word: str, name: str, summary: str, run: Any, body: Any, text: str = "") -> Call:
            return Call(
                "POST", f"{one}/{word}", name, summary, run, {200: CaseDetail}, text, STAFF, body,
                codes=(Code.NOT_ALLOWED, Code.CONFLICT),
            )  # fmt: skip

        return [
            Call(
                "GET", "/v1/ops/cases", "listCases", "List cases", self.cases, {200: CaseList},
                "By priority, then by time limit.", STAFF, query=CasesQuery,
            ),
            Call(
                "GET", one, "getCase", "See a case, without its evidence", self.case,
                {200: CaseDetail}, scopes=STAFF,
            ),
            act("assign", "assignCase", "Take a case, or give it to another", self.assign,
                AssignCase),
            act("handover", "handOverCase", "Hand your case over", self.hand_over, HandOverCase),
            replace(
                act("notes", "noteOnCase", "Add a note", self.note, WithNote), repeatable=False
            ),
            act("close", "closeCase", "Close a case with its outcome", self.close_case, CloseCase,
                "The platform gets the event `case.answered`."),
            act("reopen", "reopenCase", "Open a closed case again", self.reopen, WithNote,
                "After an appeal; needs the scope supervisor."),
        ]  # fmt: skip

    async def cases(self, asked: Asked[None]) -> Answer:
        query: CasesQuery = asked.query
        page = await self._desk.cases.queue(
            state=query.state,
            assignee=_actor(asked).id if query.assignee == "@me" else query.assignee,
            category=query.category,
            party=query.party,
            cursor=query.cursor,
            count=query.limit,
        )
        rows = [Case(**_case_fields(row)) for row in page.rows]
        return Answer(200, CaseList(rows, dict(page.counts), page.older))

    async def case(self, asked: Asked[None]) -> Answer:
        return await self._case(asked, _case_id(asked))

    async def assign(self, asked: Asked[AssignCase]) -> Answer:
        case, actor = _case_id(asked), _actor(asked)
        await self._desk.cases.assign(actor, case, asked.body.to or actor.id)
        return await self._case(asked, case)

    async def hand_over(self, asked: Asked[HandOverCase]) -> Answer:
        case, body = _case_id(asked), asked.body
        await self._desk.cases.hand_over(_actor(asked), case, body.to, body.note)
        return await self._case(asked, case)

    async def note(self, asked: Asked[WithNote]) -> Answer:
        case = _case_id(asked)
        await self._desk.cases.note(_actor(asked), case, asked.body.note)
        return await self._case(asked, case)

    async def close_case(self, asked: Asked[CloseCase]) -> Answer:
        case, body = _case_id(asked), asked.body
        answer = None if body.answer is UNSET else body.answer
        await self._desk.cases.close(_actor(asked), case, body.outcome, body.note, answer)
        return await self._case(asked, case)

    async def reopen(self, asked: Asked[WithNote]) -> Answer:
        case = _case_id(asked)
        await self._desk.cases.reopen(_actor(asked), case, asked.body.note)
        return await self._case(asked, case)

    async def _case(self, asked: Asked[Any], case: str) -> Answer:
        """A case as it is now. It counts as looked at by the caller."""
        found = await self._desk.cases.detail(case, _actor(asked))
        if found is None:
            raise no_case()
        return Answer(200, _case_detail(found))

    # --- sanctions --------------------------------------------------------------------------------

    def _sanction_calls(self) -> list[Call]:
        party = "/v1/ops/parties/{party}/sanctions"
        one = party + "/{sanction}"

        def act(word: str, name: str, summary: str, run: Any, body: Any, text: str = "") -> Call:
            return Call(
                "POST", f"{one}/{word}", name, summary, run, {200: Sanction}, text, STAFF, body,
                codes=(Code.NOT_ALLOWED, Code.CONFLICT),
            )  # fmt: skip

        return [
            Call(
                "GET", "/v1/ops/sanctions", "listSanctions", "List the sanctions of all parties",
                self.sanctions, {200: SanctionList}, scopes=STAFF, query=SanctionsQuery,
            ),
            Call(
                "GET", party, "listSanctionsOfParty", "List a party's sanctions",
                self.sanctions_of, {200: SanctionList}, scopes=STAFF,
            ),
            Call(
                "POST", party, "imposeSanction", "Impose a sanction", self.impose, {201: Sanction},
                "It holds at once, in channels that are open now as well.", STAFF, ImposeSanction,
                codes=(Code.NOT_ALLOWED, Code.CONFLICT, Code.TOO_MANY),
                repeatable=False,
            ),
            act("lift", "liftSanction", "Lift a sanction before its time", self.lift, WithNote,
                "An agent lifts only what he imposed himself."),
            act("appeal", "appealSanction", "Write down that the party objects", self.appeal,
                WithNote, "The sanction holds until somebody decides."),
            act("decide", "decideAppeal", "Decide an appeal", self.decide, DecideAppeal,
                "A supervisor, and never who imposed the sanction."),
        ]  # fmt: skip

    async def sanctions(self, asked: Asked[None]) -> Answer:
        query: SanctionsQuery = asked.query
        found = await self._desk.sanctions.listed(before_ms=query.before or None, count=query.limit)
        return Answer(200, SanctionList([_sanction(one) for one in found]))

    async def sanctions_of(self, asked: Asked[None]) -> Answer:
        found = await self._desk.sanctions.of(_party(asked))
        return Answer(200, SanctionList([_sanction(one) for one in found]))

    async def impose(self, asked: Asked[ImposeSanction]) -> Answer:
        party, body = _party(asked), asked.body
        imposed = await self._desk.sanctions.impose(
            _actor(asked),
            party,
            body.kind,
            body.reason,
            hours=None if body.hours is UNSET else body.hours,
            other=body.other,
            case=body.case,
            note=body.note,
        )
        return Answer(201, _sanction(imposed))

    async def lift(self, asked: Asked[WithNote]) -> Answer:
        party, sanction = _party(asked), asked.path["sanction"]
        lifted = await self._desk.sanctions.lift(_actor(asked), party, sanction, asked.body.note)
        return Answer(200, _sanction(lifted))

    async def appeal(self, asked: Asked[WithNote]) -> Answer:
        party, sanction = _party(asked), asked.path["sanction"]
        found = await self._desk.sanctions.appeal(_actor(asked), party, sanction, asked.body.note)
        return Answer(200, _sanction(found))

    async def decide(self, asked: Asked[DecideAppeal]) -> Answer:
        party, sanction, body = _party(asked), asked.path["sanction"], asked.body
        decided = await self._desk.sanctions.decide(
            _actor(asked), party, sanction, lifts=body.lifts, note=body.note
        )
        return Answer(200, _sanction(decided))

    # --- for supervisors --------------------------------------------------------------------------

    def _supervisor_calls(self) -> list[Call]:
        return [
            Call(
                "GET", "/v1/ops/holds", "listHolds", "List the legal holds", self.holds,
                {200: HoldList}, scopes=SUPERVISORS,
            ),
            Call(
                "PUT", "/v1/ops/holds/{trip}", "placeHold", "Keep a trip's messages",
                self.place_hold, {200: Hold},
                "They are not destroyed on schedule then. Numbers are, whatever happens.",
                SUPERVISORS, PlaceHold,
                codes=(Code.CONFLICT, Code.GONE, Code.KEYS_UNAVAILABLE),
            ),
            Call(
                "POST", "/v1/ops/holds/{trip}/release", "releaseHold", "End a legal hold",
                self.release_hold, {200: HoldReleased}, scopes=SUPERVISORS, body=WithNote,
                codes=(Code.CONFLICT,),
            ),
            Call(
                "GET", "/v1/ops/audit", "listAudit", "Read the audit log", self.audit,
                {200: AuditPage}, scopes=SUPERVISORS, query=AuditQuery,
            ),
            Call(
                "GET", "/v1/ops/alarms", "listAlarms", "See who opens more than is usual",
                self.alarms, {200: AlarmList}, scopes=SUPERVISORS,
            ),
            Call(
                "POST", "/v1/ops/alarms/{alarm}/acknowledge", "acknowledgeAlarm",
                "Note that you have looked into an alarm", self.acknowledge, {200: AlarmSeen},
                scopes=SUPERVISORS, body=WithNote, codes=(Code.CONFLICT,),
            ),
        ]  # fmt: skip

    async def holds(self, asked: Asked[None]) -> Answer:
        return Answer(200, HoldList([_hold(one) for one in await self._desk.holds.listed()]))

    async def place_hold(self, asked: Asked[PlaceHold]) -> Answer:
        trip, body = asked.trip(), asked.body
        return Answer(
            200, _hold(await self._desk.holds.place(_actor(asked), trip, body.until, body.note))
        )

    async def release_hold(self, asked: Asked[WithNote]) -> Answer:
        trip = asked.trip()
        await self._desk.holds.release(_actor(asked), trip, asked.body.note)
        return Answer(200, HoldReleased(trip))

    async def audit(self, asked: Asked[None]) -> Answer:
        query: AuditQuery = asked.query
        found = await self._desk.audit.page(
            before=query.before or None,
            count=query.limit,
            actor=query.actor,
            act=query.act,
            party=query.party,
            trip=query.trip,
            case=query.case,
            reader=_actor(asked).id,
        )
        before = found[-1].n if len(found) == query.limit and found[-1].n > 1 else None
        return Answer(200, AuditPage([_entry(one) for one in found], before))

    async def alarms(self, asked: Asked[None]) -> Answer:
        found = await self._desk.watch.alarms(_actor(asked))
        return Answer(200, AlarmList([_alarm(one) for one in found]))

    async def acknowledge(self, asked: Asked[WithNote]) -> Answer:
        alarm = asked.path["alarm"]
        await self._desk.watch.acknowledge(_actor(asked), alarm, asked.body.note)
        return Answer(200, AlarmSeen(alarm))


# --- who asks, and about what ---------------------------------------------------------------------


def _actor(asked: Asked[Any]) -> Actor:
    """The person whose key it is."""
    caller = asked.caller
    assert caller is not None, "no call of these is without a key"
    return Actor(caller.operator, StaffScope(caller.scope), "key", asked.address)


def _case_id(asked: Asked[Any]) -> str:
    case = asked.path["case"]
    if not CASE_ID.fullmatch(case):
        raise no_case()
    return case


def _party(asked: Asked[Any]) -> str:
    party = asked.path["party"]
    if not PARTY_ID.fullmatch(party):
        raise Refused(
            OpsCode.NOT_FOUND,
            "This can be no party's id, so there is nothing to show and nothing was done. Check "
            "the id.",
        )
    return party


# --- what is told ---------------------------------------------------------------------------------


def _channel(row: ChannelSight) -> Channel:
    return Channel(**_channel_fields(row))


def _channel_fields(row: ChannelSight) -> dict[str, Any]:
    return {
        "trip_id": row.trip,
        "state": _STATES[row.state],
        "opened_at": row.opened_at or None,
        "deadline": row.deadline or None,
        "epoch": row.epoch,
        "messages": row.messages,
        "driver": _channel_party(row.parties.get(Role.DRIVER)),
        "customer": _channel_party(row.parties.get(Role.CUSTOMER)),
        "findings": row.findings,
        "muted": [role.value for role, party in row.parties.items() if party.muted_until],
        "held": row.held_until > 0,
    }


def _channel_party(party: PartySight | None) -> ChannelParty | None:
    return ChannelParty(party.party, party.alias, party.online) if party else None


async def _closings(closing: AsyncIterator[tuple[str, Result]]) -> AsyncIterator[ChannelClosing]:
    async for trip, outcome in closing:
        yield ChannelClosing(trip, outcome)


def _case_fields(row: CaseRow) -> dict[str, Any]:
    return {
        "case_id": row.id,
        "trip_id": row.trip,
        "epoch": row.epoch,
        "category": row.category,
        "priority": row.priority,
        "state": row.state,
        "created_at": row.created_at,
        "due_at": row.due_at,
        "overdue": row.overdue,
        "assignee": row.assignee or None,
        "reporter_role": row.reporter_role.value,
        "reporter_party": row.reporter_party,
        "reported_role": row.reported_role.value,
        "reported_party": row.reported_party,
        "items": row.items,
        "proven": row.proven,
        "forged": row.forged,
        "outcome": Outcome(row.outcome) if row.outcome else None,
        "has_evidence": row.has_evidence,
    }


def _case_detail(found: CaseFile) -> CaseDetail:
    return CaseDetail(
        **_case_fields(found.row),
        notes=[CaseNote(*step) for step in found.notes],
        history=[CaseEvent(*step) for step in found.history],
        evidence_until=found.evidence_until,
        answer=found.answer,
    )


def _sanction(found: StoredSanction) -> Sanction:
    return Sanction(
        sanction_id=found.id,
        party_id=found.party,
        kind=found.kind,
        reason=found.reason,
        by=found.by,
        at=found.at,
        until=found.until,
        case_id=found.case,
        note=found.note,
        other=found.other,
        appeal=found.appeal,
        lifted_at=found.lifted_at,
    )


def _hold(found: StoredHold) -> Hold:
    return Hold(found.trip, found.until, found.by, found.at, found.note)


def _entry(found: StoredEntry) -> AuditEntry:
    return AuditEntry(
        n=found.n,
        at=found.at,
        actor=found.actor,
        scope=found.scope,
        via=found.via,
        address=found.address,
        act=found.act,
        trip_id=found.trip,
        case_id=found.case,
        party_id=found.party,
        reason=found.reason,
        note=found.note,
        outcome=found.outcome,
        details=found.details,
    )


def _alarm(found: RaisedAlarm) -> Alarm:
    return Alarm(
        alarm_id=found.id,
        at=found.at,
        operator=found.operator,
        kind=found.kind,
        count=found.count,
        party_id=found.party,
        seen_by=found.acknowledged_by or None,
    )
