"""The AsyncAPI 3.0 document of the gateway's sockets, written from the frames it decodes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, get_args
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

from ..core import frames
from .openapi import portable

_REF: Final = "#/components/schemas/{name}"
_CHANNEL: Final = "channel"
_ADDRESS: Final = "/v1/channel"

_INTRODUCTION: Final = f"""\
The public side of the trip relay: the parties' apps attach here. Subprotocol \
`{frames.SUBPROTOCOL_MSGPACK}` (binary) or `{frames.SUBPROTOCOL_JSON}` (text, also without a \
subprotocol); each frame is a map whose `op` names it. Unknown fields are to be ignored. What each \
frame means and when it may come is told in PROTOCOL.md.
"""


def asyncapi(gateway_url: str) -> dict[str, Any]:
    """The document for the gateway at this URL, ready for JSON."""
    from_app = _structs(frames.FromApp)
    to_app = _structs(frames.ToApp)
    _, schemas = msgspec.json.schema_components((*from_app, *to_app), ref_template=_REF)
    gateway = urlsplit(gateway_url)
    document = {
        "asyncapi": "3.0.0",
        "info": {"title": "Trip relay gateway", "version": "1", "description": _INTRODUCTION},
        "servers": {"gateway": {"host": gateway.netloc, "protocol": gateway.scheme}},
        "channels": {
            _CHANNEL: {
                "address": _ADDRESS,
                "servers": [{"$ref": "#/servers/gateway"}],
                "messages": {
                    frame.__name__: {"$ref": f"#/components/messages/{frame.__name__}"}
                    for frame in (*from_app, *to_app)
                },
                "bindings": {"ws": {"method": "GET"}},
            }
        },
        "operations": {
            "fromApp": _operation("receive", "What an app may say", from_app),
            "toApp": _operation("send", "What the relay says", to_app),
        },
        "components": {
            "messages": {
                frame.__name__: {
                    "name": frame.__struct_config__.tag,
                    "contentType": "application/json",
                    "payload": {"$ref": _REF.format(name=frame.__name__)},
                }
                for frame in (*from_app, *to_app)
            },
            "schemas": schemas,
        },
    }
    published: dict[str, Any] = portable(document)
    return published


def _structs(union: Any) -> tuple[type[Struct], ...]:
    return get_args(union)


def _operation(action: str, summary: str, structs: Sequence[type[Struct]]) -> dict[str, Any]:
    return {
        "action": action,
        "summary": summary,
        "channel": {"$ref": f"#/channels/{_CHANNEL}"},
        "messages": [
            {"$ref": f"#/channels/{_CHANNEL}/messages/{struct.__name__}"} for struct in structs
        ],
    }
