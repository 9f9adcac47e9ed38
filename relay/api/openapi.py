"""The OpenAPI 3.1 document, written from the calls and from the types that validate them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, Final

import msgspec
from msgspec import Struct

from ..core.caselife import CASE_ID
from ..core.ids import Role
from . import problems
from .auth import KeyScope
from .calls import Call
from .problems import MEANING, Code, ProblemDocument
from .types import PartyId, TripId

_REF: Final = "#/components/schemas/{name}"
_PARAMETER: Final = re.compile(r"\{([a-z]+)\}")

#: What may stand in a path.
_IN_PATH: Final[dict[str, dict[str, Any]]] = {
    "trip": msgspec.json.schema(TripId),
    "party": msgspec.json.schema(PartyId),
    "role": {"type": "string", "enum": [role.value for role in Role]},
    "case": {
        "type": "string",
        "pattern": rf"^{CASE_ID.pattern}\Z",
        "description": "the case's id.",
        "examples": ["c17-0a1b2c3d"],
    },
    "sanction": {"type": "string", "description": "the sanction's id."},
    "alarm": {"type": "string", "description": "the alarm's id."},
}

_WITH_KEY: Final = (
    Code.UNAUTHORIZED, Code.FORBIDDEN, Code.RATE, Code.STORE_UNAVAILABLE, Code.OVERLOADED,
)  # fmt: skip
_WITH_BODY: Final = (Code.MALFORMED, Code.TOO_LARGE, Code.MEDIA_TYPE, Code.INVALID)

_INTRODUCTION: Final = """\
The private side of the trip relay: the platform's backend opens and ends trips here and hears of \
what happens to them; operators work here with keys of their own, which never open evidence. Phone \
numbers go in and never come out. Every call of the platform's can be repeated as it is when its \
answer was lost; an operator's is answered `conflict` if it was done, but for notes and sanctions, \
of which there are then two. Times are milliseconds since 1970 (UTC). Errors are problem documents \
(RFC 9457); their `code` is for programs.
"""


def openapi(calls: Sequence[Call]) -> dict[str, Any]:
    """The document for these calls, ready for JSON."""
    structs: dict[type[Struct], None] = {ProblemDocument: None}
    for call in calls:
        structs |= dict.fromkeys(
            struct for struct in (call.body, *call.answers.values()) if struct is not None
        )
    _, schemas = msgspec.json.schema_components(structs, ref_template=_REF)
    paths: dict[str, dict[str, Any]] = {}
    for call in calls:
        paths.setdefault(call.path, {})[call.method.lower()] = _operation(call)
    document = {
        "openapi": "3.1.0",
        "info": {"title": "Trip relay", "version": "1", "description": _INTRODUCTION},
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "key": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "An API key, `relay_<id>_<secret>`. Its scope is one of "
                    f"{', '.join(KeyScope)}. A revoked key may work for a few seconds more.",
                }
            },
        },
    }
    published: dict[str, Any] = portable(document)
    return published


def portable(schema: Any) -> Any:
    """The schema with patterns as JSON Schema wants them: `\\Z` is Python's for ECMA 262's `$`."""
    if isinstance(schema, dict):
        return {
            key: value.replace(r"\Z", "$")
            if key == "pattern" and isinstance(value, str)
            else portable(value)
            for key, value in schema.items()
        }
    if isinstance(schema, list):
        return [portable(item) for item in schema]
    return schema


def _operation(call: Call) -> dict[str, Any]:
    operation: dict[str, Any] = {"operationId": call.name, "summary": call.summary}
    if call.description:
        operation["description"] = call.description
    if parameters := [*_path_parameters(call), *_query_parameters(call)]:
        operation["parameters"] = parameters
    if call.body is not None:
        operation["requestBody"] = {
            "required": not call.body_is_optional,
            "content": {"application/json": {"schema": _reference(call.body)}},
        }
    if call.scopes:
        # Alternatives: one of the scopes is enough.
        operation["security"] = [{"key": [scope.value]} for scope in sorted(call.scopes)]
    operation["responses"] = _responses(call)
    return operation


def _path_parameters(call: Call) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "path", "required": True, "schema": _IN_PATH[name]}
        for name in _PARAMETER.findall(call.path)
    ]


def _query_parameters(call: Call) -> list[dict[str, Any]]:
    if call.query is None:
        return []
    (_, components) = msgspec.json.schema_components([call.query], ref_template=_REF)
    properties = components[call.query.__name__]["properties"]
    return [{"name": name, "in": "query", "schema": schema} for name, schema in properties.items()]


def _responses(call: Call) -> dict[str, Any]:
    responses: dict[str, Any] = {}
    for status, struct in call.answers.items():
        schema = _reference(struct) if struct else {"type": "string"}
        responses[str(status)] = {
            "description": (struct.__doc__ or "").strip() if struct else call.summary,
            "content": {call.media_type: {"schema": schema}},
        }
    by_status: dict[int, list[Code]] = {}
    for code in _codes(call):
        by_status.setdefault(MEANING[code][0], []).append(code)
    for status, codes in sorted(by_status.items()):
        meanings = "; ".join(f"`{code}`: {MEANING[code][1].lower()}" for code in codes)
        response: dict[str, Any] = {
            "description": f"{HTTPStatus(status).phrase}. {meanings}.",
            "content": {problems.MEDIA_TYPE: {"schema": _reference(ProblemDocument)}},
        }
        header = {401: "WWW-Authenticate", 403: "WWW-Authenticate", 503: "Retry-After"}.get(status)
        if header:
            response["headers"] = {header: {"schema": {"type": "string"}}}
        responses[str(status)] = response
    return responses


def _codes(call: Call) -> dict[Code, None]:
    """Every problem that a call may answer with, each once."""
    codes = [*call.codes, Code.INTERNAL]
    if call.scopes:
        codes += _WITH_KEY
    if call.body is not None:
        codes += _WITH_BODY
    if call.query is not None:
        codes.append(Code.INVALID)
    named = set(_PARAMETER.findall(call.path))
    if named - {"trip"}:
        codes.append(Code.NOT_FOUND)
    if "trip" in named:
        codes.append(Code.NO_TRIP)
    return dict.fromkeys(codes)


def _reference(struct: type[Struct]) -> dict[str, str]:
    return {"$ref": _REF.format(name=struct.__name__)}
