"""`relay ops`: the operators' work from a terminal, over the relay's HTTP API.

A person calls with an API key of their own (`relay apikey new --operator`), and every act is in the
audit log under their name. What a terminal cannot do at all is open evidence.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from . import ops_cases, ops_channels, ops_measures, ops_oversight
from .options import group

app = group("Watch and close channels, work on cases: as an operator, over HTTP.")

_COMMANDS: Final[dict[str, Callable[..., None]]] = {
    "list": ops_channels.list_,
    "show": ops_channels.show,
    "close": ops_channels.close,
    "cases": ops_cases.cases,
    "case": ops_cases.case,
    "take": ops_cases.take,
    "note": ops_cases.note,
    "handover": ops_cases.handover,
    "answer": ops_cases.answer,
    "reopen": ops_cases.reopen,
    "sanctions": ops_measures.sanctions,
    "sanction": ops_measures.sanction,
    "lift": ops_measures.lift,
    "appeal": ops_measures.appeal,
    "decide": ops_measures.decide,
    "holds": ops_measures.holds,
    "hold": ops_measures.hold,
    "release": ops_measures.release,
    "audit": ops_oversight.audit,
    "alarms": ops_oversight.alarms,
    "acknowledge": ops_oversight.acknowledge,
}
for _name, _run in _COMMANDS.items():
    app.command(_name)(_run)
