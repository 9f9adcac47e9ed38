"""Which field a validation error is about, told without what stood in it.

msgspec's errors quote what they found. Only their path is used, and of the path only what is known
to be a field of ours: an unknown field's name is the caller's text and may itself be a number.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

import msgspec
from msgspec import Struct, inspect

from .problems import Code, Problem

_MISSING: Final = "Object missing required field `"
_UNKNOWN: Final = "Object contains unknown field `"
_PATH: Final = re.compile(r"(?:`key` in )?`\$\.?([a-z_.\[\]0-9]*)`")
_INDEX: Final = re.compile(r"\[[0-9]+\]")
_SHORT_INDEX: Final = re.compile(r"\[[0-9]{1,2}\]")
_NAME: Final = re.compile(r"[a-z_]{1,40}")


class Fields:
    """The fields of a struct, those of the structs in it included, and what each has to be."""

    __slots__ = ("_known",)

    def __init__(self, struct: type[Struct]) -> None:
        self._known = dict(_walk("", inspect.type_info(struct)))

    def __iter__(self) -> Iterator[str]:
        return iter(self._known)

    def problem(self, error: msgspec.ValidationError) -> Problem:
        """The problem for an error that msgspec raised for this struct."""
        text = str(error)
        parent = self._path(text)
        if text.startswith(_MISSING):
            field = _join(parent, text[len(_MISSING) :].partition("`")[0])
            if field in self._known:
                return _invalid(field, f"`{field}` is missing: {self._known[field]}")
        elif text.startswith(_UNKNOWN):
            name = text[len(_UNKNOWN) :].partition("`")[0]
            advice = "Leave it out; /openapi.json lists the fields."
            if _NAME.fullmatch(name):
                field = _join(parent, name)
                return _invalid(field, f"`{field}` is no field of this call. {advice}")
            place = f"`{parent}` has" if parent else "There is"
            return _invalid(parent, f"{place} an unknown field. {advice}")
        if parent:
            known = self._known[_INDEX.sub("[]", parent)]
            return _invalid(parent, f"`{parent}` is not as it has to be: {known}")
        return _invalid("", "The body is not an object with the fields of this call.")

    def _path(self, text: str) -> str:
        """The path in an error, if it leads to a field of this struct; else nothing."""
        match = _PATH.fullmatch(text.rpartition(" - at ")[2])
        if match is None:
            return ""
        path = match[1].replace("[...]", "")
        if _INDEX.sub("[]", path) not in self._known:
            return ""
        # A longer index than a list can have here would be the caller's text.
        return path if _SHORT_INDEX.sub("", path) == _INDEX.sub("", path) else ""


def strings(struct: Any) -> list[tuple[str, str]]:
    """Every string in a decoded body with its path; a map's keys count as strings at its path."""
    found: list[tuple[str, str]] = []
    _collect(struct, "", found)
    return found


def _collect(value: Any, path: str, found: list[tuple[str, str]]) -> None:
    if isinstance(value, str):
        found.append((path, value))
    elif isinstance(value, Struct):
        for name in value.__struct_fields__:
            _collect(getattr(value, name), _join(path, name), found)
    elif isinstance(value, dict):
        for key, item in value.items():
            _collect(key, path, found)
            _collect(item, path, found)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            _collect(item, f"{path}[{index}]", found)


def _invalid(field: str, what: str) -> Problem:
    return Problem(Code.INVALID, f"{what} Nothing was changed.", field=field or None)


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _walk(path: str, kind: inspect.Type) -> Iterator[tuple[str, str]]:
    description = ""
    if isinstance(kind, inspect.Metadata):
        description = (kind.extra_json_schema or {}).get("description", "")
        kind = kind.type
    if isinstance(kind, inspect.UnionType):
        for part in kind.types:
            yield from _walk(path, part)
    if path and not isinstance(kind, inspect.UnionType):
        yield path, description or "see /openapi.json."
    if isinstance(kind, inspect.StructType):
        for field in kind.fields:
            yield from _walk(_join(path, field.encode_name), field.type)
    elif isinstance(kind, inspect.ListType):
        yield from _walk(f"{path}[]", kind.item_type)
