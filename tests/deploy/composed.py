"""The files that the relay is deployed with, as the tests read them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
COMPOSE: dict[str, Any] = YAML(typ="safe").load(ROOT / "docker-compose.yml")
SERVICES: dict[str, Any] = COMPOSE["services"]
DOCKERFILE = (DEPLOY / "Dockerfile").read_text()
RELAYS = ("relay-1", "relay-2")


def environment(service: str) -> dict[str, str]:
    """What a service finds in its environment where nobody has set anything: its image's variables, if
    the image is ours, and its own."""
    found: dict[str, str] = {}
    if "build" in SERVICES[service]:
        found |= dict(re.findall(r"^ +(RELAY_\w+)=(\S+)", DOCKERFILE, re.MULTILINE))
    given = SERVICES[service].get("environment", {})
    return found | {name: _without_shell(str(value)) for name, value in given.items()}


def _without_shell(text: str) -> str:
    """A value with the defaults of its variables."""
    return re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", text).replace("$$", "$")


def script(service: str) -> list[str]:
    """The program and arguments that a service is started with."""
    told = SERVICES[service]
    return [one.replace("$$", "$") for one in (*told["entrypoint"], *told.get("command", ()))]


def statements(text: str) -> list[str]:
    """The lines of a file without notes, those that go on in the next joined."""
    bare = "\n".join(line for line in text.splitlines() if line and not line.startswith("#"))
    return re.sub(r"\\\n *", " ", bare).splitlines()


def rights(user: str) -> list[str]:
    """The commands that a user of the store may give, as deploy/users.acl lists them."""
    (line,) = [
        one
        for one in statements((DEPLOY / "users.acl").read_text())
        if one.startswith(f"user {user} ")
    ]
    return [word[1:] for word in line.split() if word.startswith("+")]
