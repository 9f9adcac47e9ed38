"""The OpenAPI and AsyncAPI documents: whole, true to the routes, and true to what is taken."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, get_args

import pytest

from relay.core import frames
from relay.core.casework import StaffScope
from relay.store.operators import OperatorRecord, OperatorRecords

if TYPE_CHECKING:
    from conftest import World

CALLS = {
    ("post", "/v1/trips"), ("get", "/v1/trips"), ("get", "/v1/trips/{trip}"),
    ("patch", "/v1/trips/{trip}"), ("post", "/v1/trips/{trip}/end"), ("post", "/v1/ended-trips"),
    ("put", "/v1/trips/{trip}/parties/{role}"), ("post", "/v1/trips/{trip}/parties/{role}/token"),
    ("post", "/v1/trips/{trip}/system-messages"), ("get", "/v1/events"), ("post", "/v1/events/ack"),
    ("get", "/v1/ops/channels"), ("get", "/v1/ops/channels/{trip}"),
    ("post", "/v1/ops/channels/{trip}/close"), ("post", "/v1/ops/closings"),
    ("get", "/v1/ops/cases"), ("get", "/v1/ops/cases/{case}"),
    ("post", "/v1/ops/cases/{case}/assign"), ("post", "/v1/ops/cases/{case}/handover"),
    ("post", "/v1/ops/cases/{case}/notes"), ("post", "/v1/ops/cases/{case}/close"),
    ("post", "/v1/ops/cases/{case}/reopen"), ("get", "/v1/ops/sanctions"),
    ("get", "/v1/ops/parties/{party}/sanctions"), ("post", "/v1/ops/parties/{party}/sanctions"),
    ("post", "/v1/ops/parties/{party}/sanctions/{sanction}/lift"),
    ("post", "/v1/ops/parties/{party}/sanctions/{sanction}/appeal"),
    ("post", "/v1/ops/parties/{party}/sanctions/{sanction}/decide"),
    ("get", "/v1/ops/holds"), ("put", "/v1/ops/holds/{trip}"),
    ("post", "/v1/ops/holds/{trip}/release"), ("get", "/v1/ops/audit"), ("get", "/v1/ops/alarms"),
    ("post", "/v1/ops/alarms/{alarm}/acknowledge"), ("get", "/livez"), ("get", "/readyz"),
    ("get", "/metrics"), ("get", "/openapi.json"), ("get", "/asyncapi.json"),
}  # fmt: skip

#: Something for each name that stands in a path.
NAMED = {
    "trip": "t1", "role": "driver", "case": "c1-00000000", "party": "p1", "sanction": "s1",
    "alarm": "a1",
}  # fmt: skip


async def _document(world: World, path: str) -> dict[str, Any]:
    answer = await world.http.get(path)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    document: dict[str, Any] = answer.json()
    return document


def _nodes(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        yield node
        for value in node.values():
            yield from _nodes(value)
    elif isinstance(node, list):
        for value in node:
            yield from _nodes(value)


def _resolve(document: dict[str, Any], reference: str) -> Any:
    assert reference.startswith("#/")
    node: Any = document
    for part in reference[2:].split("/"):
        node = node[part]
    return node


@pytest.mark.parametrize("path", ["/openapi.json", "/asyncapi.json"])
async def test_every_reference_leads_somewhere_and_every_schema_is_used(
    world: World, path: str
) -> None:
    document = await _document(world, path)
    used = {node["$ref"] for node in _nodes(document) if isinstance(node.get("$ref"), str)}
    for reference in used:
        _resolve(document, reference)
    for name in document["components"]["schemas"]:
        assert f"#/components/schemas/{name}" in used
    for node in _nodes(document):
        if isinstance(pattern := node.get("pattern"), str):
            re.compile(pattern)
            assert r"\Z" not in pattern


async def test_every_call_is_described_and_every_description_is_a_call(world: World) -> None:
    document = await _document(world, "/openapi.json")
    assert document["openapi"].startswith("3.1")
    described = {(method, path) for path, item in document["paths"].items() for method in item}
    assert described == CALLS
    names = [
        operation["operationId"]
        for item in document["paths"].values()
        for operation in item.values()
    ]
    assert len(set(names)) == len(names)
    for method, path in described:
        # Without a key: a route that exists says so.
        answer = await world.http.request(method, path.format(**NAMED))
        operation = document["paths"][path][method]
        assert answer.status_code == (401 if "security" in operation else 200), path
        parameters = {p["name"] for p in operation.get("parameters", ()) if p["in"] == "path"}
        assert parameters == set(re.findall(r"\{(\w+)\}", path))


def example(document: dict[str, Any], schema: dict[str, Any]) -> Any:
    """A value that the schema allows, from its examples where it has any."""
    if "$ref" in schema:
        return example(document, _resolve(document, schema["$ref"]))
    if "examples" in schema:
        return schema["examples"][0]
    if "anyOf" in schema:
        return example(document, schema["anyOf"][0])
    if "enum" in schema:
        return schema["enum"][0]
    match schema["type"]:
        case "object":
            return {
                name: example(document, inner)
                for name, inner in schema.get("properties", {}).items()
            }
        case "array":
            return [example(document, schema["items"])]
        case "integer":
            return schema["minimum"]
        case "boolean":
            return False
    raise AssertionError(f"no example for {schema}")


async def test_what_the_document_shows_is_accepted(world: World) -> None:
    document = await _document(world, "/openapi.json")

    def body(path: str, method: str) -> Any:
        content = document["paths"][path][method]["requestBody"]["content"]
        return example(document, content["application/json"]["schema"])

    opening = body("/v1/trips", "post")
    opening["requested_at"] = world.clock()
    opening["customer"] |= {"party_id": "rider-7", "phone": world.customer_phone}
    trip = opening["trip_id"]
    answer = await world.call("POST", "/v1/trips", opening)
    assert answer.status_code == 201, answer.text
    for method, path, change in (
        ("patch", "/v1/trips/{trip}", {"deadline": world.clock() + 60_000}),
        ("post", "/v1/trips/{trip}/system-messages", {"template": None}),
        ("post", "/v1/trips/{trip}/system-messages", {"text": None}),
        ("post", "/v1/trips/{trip}/parties/{role}/token", {}),
        ("put", "/v1/trips/{trip}/parties/{role}", {}),
        ("post", "/v1/trips/{trip}/end", {}),
    ):
        shown = body(path, method) | change
        shown = {name: value for name, value in shown.items() if value is not None}
        answer = await world.call(method, path.format(trip=trip, role="driver"), shown)
        assert answer.status_code in (200, 201), (path, answer.text)


def _leaves(
    document: dict[str, Any], schema: dict[str, Any], path: tuple[str, ...] = ()
) -> Iterator[tuple[str, ...]]:
    if "$ref" in schema:
        yield from _leaves(document, _resolve(document, schema["$ref"]), path)
    elif "allOf" in schema or "anyOf" in schema:
        for inner in schema.get("allOf", schema.get("anyOf", ())):
            yield from _leaves(document, inner, path)
    elif "properties" in schema:
        for name, inner in schema["properties"].items():
            yield from _leaves(document, inner, (*path, name))
    else:
        yield path


async def test_every_field_of_every_body_names_itself_when_it_is_wrong(world: World) -> None:
    document = await _document(world, "/openapi.json")
    await world.open("t1")
    rina = OperatorRecord("rina", "Rina", StaffScope.SUPERVISOR, world.clock())
    assert await OperatorRecords(world.store).replace(None, rina)
    staff = await world.new_key("supervisor", operator="rina")
    seen = 0
    for path, item in document["paths"].items():
        for method, operation in item.items():
            if "requestBody" not in operation:
                continue
            schema = operation["requestBody"]["content"]["application/json"]["schema"]
            for leaf in _leaves(document, schema):
                body = example(document, schema)
                at = body
                for name in leaf[:-1]:
                    at = at[name]
                at[leaf[-1]] = {"x": [world.driver_phone]}
                key = staff if path.startswith("/v1/ops/") else world.key
                answer = await world.call(method, path.format(**NAMED), body, key=key)
                assert (answer.status_code, answer.json()["field"]) == (422, ".".join(leaf))
                seen += 1
    assert seen >= 50


async def test_every_answer_is_in_the_document(world: World) -> None:
    """Drive the calls once more through good and bad, and look each status up."""
    document = await _document(world, "/openapi.json")
    await world.open("t1")
    await world.call("POST", "/v1/trips", world.opening("t1"))
    await world.reassign("t1", "driver", "driver-20", epoch=1)
    await world.reassign("t1", "driver", "driver-21", epoch=1)
    await world.reassign("t1", "driver", "rider-7", epoch=2)
    await world.reassign("none", "driver", "driver-21", epoch=1)
    await world.call("POST", "/v1/trips/t1/parties/driver/token", {"party_id": "x"})
    await world.call("POST", "/v1/trips/t1/system-messages", {"id": "a", "text": "x"})
    await world.call("POST", "/v1/trips/t1/system-messages", {"id": "a", "text": "x"})
    await world.end("t1")
    await world.call("POST", "/v1/trips/t1/system-messages", {"id": "a", "text": "x"})
    await world.call("PATCH", "/v1/trips/t1", {"allow": []})
    await world.call("GET", "/v1/trips?limit=0")
    for key in ("x", await world.new_key("agent")):
        await world.call("GET", "/v1/trips", key=key)
    codes = set()
    for method, answer in world.observed.answers:
        path = re.sub(r"/trips/\w+", "/trips/{trip}", answer.url.path)
        path = path.replace("/parties/driver", "/parties/{role}")
        described = document["paths"][path][method.lower()]["responses"][str(answer.status_code)]
        kind = answer.headers["content-type"]
        assert kind in described["content"]
        if answer.status_code >= 400:
            assert f"`{answer.json()['code']}`" in described["description"]
            codes.add(answer.json()["code"])
    assert len(codes) >= 8


async def test_every_frame_is_in_the_asyncapi_document(world: World) -> None:
    document = await _document(world, "/asyncapi.json")
    assert document["asyncapi"].startswith("3.")
    assert document["servers"]["gateway"] == {"host": "gateway.example", "protocol": "wss"}
    for name, union in (("fromApp", frames.FromApp), ("toApp", frames.ToApp)):
        said = set()
        for reference in document["operations"][name]["messages"]:
            message = _resolve(document, _resolve(document, reference["$ref"])["$ref"])
            schema = _resolve(document, message["payload"]["$ref"])
            assert schema["properties"]["op"]["enum"] == [message["name"]]
            said.add(message["name"])
        assert said == {frame.__struct_config__.tag for frame in get_args(union)}
