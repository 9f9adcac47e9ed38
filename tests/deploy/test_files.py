"""The files that the relay is deployed with: valid, complete, and with no more rights than needed."""

from __future__ import annotations

import ast
import re
import stat
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from relay.store import keys
from relay.store.server_process import find_program

from .composed import COMPOSE, DEPLOY, DOCKERFILE, RELAYS, ROOT, SERVICES, rights, statements
from .topology import Running, free_address, haproxy

PROGRAMS = Path(sys.executable).parent


def checked(*words: object) -> str:
    """Run a checker, which has nothing to say against it; give what it prints."""
    done = subprocess.run(list(map(str, words)), capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def named(things: Any) -> set[str]:
    """The names in a list of names or of mappings with a source."""
    return {one if isinstance(one, str) else one["source"] for one in things}


# --- docker-compose.yml ----------------------------------------------------------------------------


def test_the_compose_file_is_valid_by_the_published_schema() -> None:
    checked(
        PROGRAMS / "check-jsonschema", "--builtin-schema", "vendor.compose-spec",
        "docker-compose.yml",
    )  # fmt: skip


def test_a_compose_file_that_is_not_valid_is_found(tmp_path: Path) -> None:
    text = (ROOT / "docker-compose.yml").read_text()
    for right, wrong in (("read_only: true", "read_only: 7"), ("cap_drop:", "drop_caps:")):
        broken = tmp_path / "docker-compose.yml"
        broken.write_text(text.replace(right, wrong))
        with pytest.raises(AssertionError, match=r"read_only|drop_caps"):
            checked(
                PROGRAMS / "check-jsonschema", "--builtin-schema", "vendor.compose-spec", broken
            )


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_has_no_more_rights_than_it_needs(service: str) -> None:
    told = SERVICES[service]
    assert told["read_only"] is True
    assert told["cap_drop"] == ["ALL"] and "cap_add" not in told
    assert told["security_opt"] == ["no-new-privileges:true"]
    assert told["restart"] == "unless-stopped"
    assert set(told["deploy"]["resources"]["limits"]) == {"cpus", "memory", "pids"}
    assert {"test", "interval", "timeout", "start_period"} <= set(told["healthcheck"])
    assert not {"privileged", "pid", "ipc", "userns_mode", "devices"} & set(told)
    # Ours has its user in the image, see below.
    assert "build" in told or re.fullmatch(r"[1-9]\d*:[1-9]\d*", told["user"])
    tag = told["image"].partition(":")[2]
    assert "build" in told or re.match(r"\d+\.\d+", tag), told["image"]
    for volume in told.get("volumes", ()):
        assert volume.partition(":")[0] in COMPOSE["volumes"], "nothing of the host's is mounted"


def test_the_images_are_of_the_versions_that_the_tests_run() -> None:
    for service, program, before in (
        ("balancer", haproxy(), "HAProxy version "), ("store", find_program(), "v="),
    ):  # fmt: skip
        (tag,) = re.findall(r":(\d+\.\d+)\b", SERVICES[service]["image"])
        assert f"{before}{tag}." in checked(program, "-v" if service == "balancer" else "--version")


def test_the_nodes_are_equal() -> None:
    assert SERVICES[RELAYS[0]] == SERVICES[RELAYS[1]]


def test_everything_that_is_named_is_there() -> None:
    for service in SERVICES.values():
        for kind in ("configs", "secrets", "networks"):
            assert named(service.get(kind, ())) <= set(COMPOSE[kind])
        for volume in service.get("volumes", ()):
            assert volume.partition(":")[0] in COMPOSE["volumes"]
        assert set(service.get("depends_on", ())) <= set(SERVICES)
    for config in COMPOSE["configs"].values():
        assert (ROOT / config["file"]).is_file()


def test_neither_the_store_nor_the_nodes_can_be_reached_from_outside() -> None:
    assert [name for name, told in SERVICES.items() if "ports" in told] == ["balancer"]
    for port in SERVICES["balancer"]["ports"]:
        assert ":-127.0.0.1:" in port, "without being asked, only this machine gets in"
    outward = [
        name for name, told in COMPOSE["networks"].items() if not (told or {}).get("internal")
    ]
    assert outward == ["edge"]
    assert [name for name, told in SERVICES.items() if "edge" in told.get("networks", ())] == [
        "balancer"
    ]
    at_store = {name for name, told in SERVICES.items() if "store" in told.get("networks", ())}
    assert at_store == {*RELAYS, "store"}
    assert SERVICES["keys"]["network_mode"] == "none"


def test_secrets_are_no_part_of_the_files() -> None:
    for name, secret in COMPOSE["secrets"].items():
        assert secret["file"] == "${RELAY_SECRETS:-./secrets}/" + name
    assert "secrets/" in (ROOT / ".gitignore").read_text().splitlines()
    who = {name: named(told.get("secrets", ())) for name, told in SERVICES.items()}
    assert who == {
        "balancer": set(), "keys": set(), "store": {"store.sha256"},
        **{relay: {"relay.toml"} for relay in RELAYS},
    }  # fmt: skip
    with_keys = [name for name, told in SERVICES.items() if "keys:/keys" in told.get("volumes", ())]
    assert with_keys == [*RELAYS, "keys"]
    for told in SERVICES.values():
        for variable, value in told.get("environment", {}).items():
            assert not re.search("PASSWORD(?!_HASH_FILE)|TOKEN|SECRET", variable), variable
            assert not re.search(r"://[^/]*@", str(value)), variable


def test_the_longest_drain_fits_into_the_time_to_stop() -> None:
    from relay.app import _STOP_LIMIT_S
    from relay.settings import Settings

    limit_s = int(SERVICES[RELAYS[0]]["stop_grace_period"].removesuffix("s"))
    assert limit_s > Settings().drain_s + _STOP_LIMIT_S


# --- Python ----------------------------------------------------------------------------------------


def oldest_python() -> str:
    """The oldest that the relay is promised to run on; whoever runs the tests may have a newer."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return str(project["requires-python"]).removeprefix(">=")


def test_all_files_promise_the_same_python() -> None:
    oldest = oldest_python()
    assert sys.version_info >= tuple(map(int, oldest.split(".")))
    linted = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["ruff"]["target-version"]
    assert linted == "py" + oldest.replace(".", "")
    assert f"--python-version {oldest} " in (DEPLOY / "lock").read_text()
    assert f"sys.version_info < ({oldest.replace('.', ', ')})" in (DEPLOY / "setup").read_text()
    for name in ("README.md", "deploy/setup"):
        assert f"Python {oldest} or later" in (ROOT / name).read_text(), name


# --- the image -------------------------------------------------------------------------------------


def test_the_dockerfile_has_nothing_that_a_linter_minds() -> None:
    checked(
        PROGRAMS / "hadolint", "--no-color", "--failure-threshold", "style", DEPLOY / "Dockerfile"
    )


def test_the_image_is_small_pinned_and_not_root_s() -> None:
    lines = statements(DOCKERFILE)
    stages = [index for index, line in enumerate(lines) if line.startswith("FROM ")]
    assert len(stages) == 2
    build, final = lines[: stages[1]], lines[stages[1] :]
    for index in stages:
        assert re.fullmatch(rf"FROM python:{oldest_python()}-slim-\w+( AS build)?", lines[index])
    for line in build:
        if "pip" in line and "-r requirements.txt" in line:
            assert "--require-hashes" in line and "--only-binary :all:" in line
            break
    else:
        raise AssertionError("the locked packages are not installed")
    assert not re.search(r"\b(apt-get|apk|curl|wget|gcc|make)\b", "\n".join(lines))
    assert [line for line in final if line.startswith(("COPY", "ADD"))] == [
        "COPY --from=build /opt/relay /opt/relay"
    ]
    assert not any(word in line for line in final for word in ("pip ", "requirements"))
    assert "USER 10001:10001" in final and "STOPSIGNAL SIGTERM" in final
    (health,) = [line for line in final if line.startswith("HEALTHCHECK ")]
    assert "/livez" in health


def test_the_builder_gets_only_what_the_image_is_made_of() -> None:
    ignored = statements((DEPLOY / "Dockerfile.dockerignore").read_text())
    assert ignored[0] == "*"
    shown = {line[1:] for line in ignored if line.startswith("!")}
    copied = set()
    for line in statements(DOCKERFILE):
        if line.startswith("COPY ") and "--from" not in line:
            copied |= set(line.split()[1:-1])
    assert shown == copied
    for name in copied:
        assert (ROOT / name).exists(), name


# --- the balancer ----------------------------------------------------------------------------------


def test_the_balancer_s_settings_are_valid() -> None:
    said = checked(haproxy(), "-c", "-f", DEPLOY / "haproxy.cfg")
    # The nodes' names mean nothing here.
    odd = [line for line in said.splitlines() if "WARNING" in line and "resolve" not in line]
    assert odd == []


# --- the store -------------------------------------------------------------------------------------


def sent() -> set[str]:
    """Every command that the relay's code and its scripts send to the store."""
    found = {"client|setname"}  # in the greeting, after AUTH, which anybody may
    for file in (ROOT / "relay/store/scripts").glob("*.lua"):
        text = file.read_text()
        calls = re.findall(r"redis\.p?call\(\s*'([A-Z]+)'(?:, '(STREAM)')?", text)
        assert len(calls) == len(re.findall(r"redis\.\w*call", text)), file
        found |= {f"{name}|{sub}".strip("|").lower() for name, sub in calls}
    for file in (ROOT / "relay").rglob("*.py"):
        if {"bench", "chaos", "rig"} & set(file.parts):
            continue  # these start their stores, and are no relay to them
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and _name(node.func) in ("pack", "call"):
                words = [one.value if isinstance(one, ast.Constant) else "" for one in node.args]
                if words and isinstance(words[0], str) and re.fullmatch("[A-Z]{3,}", words[0]):
                    if (
                        words[0] in ("GET", "POST", "PUT", "PATCH", "DELETE")
                        and "cli" in file.parts
                    ):
                        continue  # a call over HTTP
                    if words[0] == "SENTINEL":
                        continue  # to servers that are not the store and have users of their own
                    sub = f"|{words[1]}" if words[0] in ("SCRIPT", "CLIENT", "XINFO") else ""
                    found.add(f"{words[0]}{sub}".lower())
    return found


def _name(function: ast.expr) -> str:
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def test_the_relay_may_send_what_it_sends_and_nothing_else() -> None:
    """Add to deploy/users.acl what the relay begins to send, and take out what it no longer does."""
    of_doctor = {"client|setinfo", "info"}
    of_a_cluster = {"cluster|info", "cluster|slots", "ping"}
    of_durability = {"wait", "waitaof"}
    assert set(rights("relay")) == sent() | of_doctor | of_a_cluster | of_durability


async def test_the_relay_gets_to_its_keys_and_channels_and_to_no_others(tmp_path: Path) -> None:
    users = statements((DEPLOY / "users.acl").read_text().replace("@PASSWORD_HASH@", "0" * 64))
    (tmp_path / "users.acl").write_text(
        "\n".join([*users, "user watcher on nopass ~* &* +@all", ""])
    )
    host, _, port = (where := free_address()).partition(":")
    words = [str(find_program()), "--bind", host, "--port", port, "--save", ""]
    store = Running([*words, "--aclfile", str(tmp_path / "users.acl")], tmp_path, "store", {})
    try:
        await store.said("Ready to accept connections")
        with Redis.from_url(f"redis://watcher:x@{where}") as redis:

            def may(*command: str) -> bool:
                return redis.execute_command("ACL DRYRUN", "relay", *command) == b"OK"

            table = re.findall(r"^\| (`[^|]+) \| ([^|]+) \|", keys.__doc__ or "", re.MULTILINE)
            assert len(table) > 30
            for names, kind in table:
                for name in re.findall("`([^`]+)`", names):
                    one = re.sub("<[^>]+>", "x-1", name).replace("{pN}", "{p255}")
                    if "pub/sub" in kind:
                        assert may("SPUBLISH", one, "x") and may("SSUBSCRIBE", one), one
                    else:
                        assert may("EXISTS", one), one
            for one in (
                "trip:x",
                "relay",
                "{signin}",
                "{relay:audit}:other",
                "{q1}:trip:x",
                "x:relay:y",
            ):
                assert not may("EXISTS", one), one
            for one in ("relay:control", "{p1}:other", "relay:inboxes:x", "{p1}:control:x"):
                assert not may("SSUBSCRIBE", one) and not may("SPUBLISH", one, "x"), one
    finally:
        await store.end()


def test_there_is_room_to_write_the_append_only_file_anew() -> None:
    (limit,) = re.findall(
        r"^maxmemory (\d+)gb$", (DEPLOY / "valkey.conf").read_text(), re.MULTILINE
    )
    given = SERVICES["store"]["deploy"]["resources"]["limits"]["memory"]
    assert int(given.removesuffix("m")) > 2 * 1024 * int(limit)


# --- secrets ---------------------------------------------------------------------------------------


def test_secrets_are_made_once_and_for_one_owner(tmp_path: Path) -> None:
    folder = tmp_path / "some" / "secrets"
    checked("sh", DEPLOY / "new-secrets", folder)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    made = {path.name: path.read_text() for path in folder.iterdir()}
    assert set(made) == set(COMPOSE["secrets"])
    again = subprocess.run(["sh", DEPLOY / "new-secrets", folder], capture_output=True, text=True)
    assert again.returncode == 1 and "left as they are" in again.stderr
    assert {path.name: path.read_text() for path in folder.iterdir()} == made
    other = tmp_path / "other"
    checked("sh", DEPLOY / "new-secrets", other)
    assert (other / "relay.toml").read_text() != made["relay.toml"]


@pytest.mark.parametrize(
    "content", ["", "secret", "0" * 63, "g" * 64, "0" * 32 + " +@all " + "0" * 32]
)
def test_a_store_without_the_hash_does_not_start(tmp_path: Path, content: str) -> None:
    (tmp_path / "hash").write_text(content)
    done = subprocess.run(
        ["sh", DEPLOY / "start-store"], capture_output=True, text=True,
        env={"PATH": "/usr/bin:/bin", "PASSWORD_HASH_FILE": str(tmp_path / "hash"),
             "USERS_FILE": str(tmp_path / "users")},
    )  # fmt: skip
    assert done.returncode == 1 and "holds no SHA-256" in done.stderr
    assert not (tmp_path / "users").exists()
