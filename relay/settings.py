"""What can be set, where each setting comes from, and whether it can be honoured.

A setting is taken from the command line, else from the environment (`RELAY_` and its name in
capitals), else from a TOML file, else its default.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import Field, dataclass, field, fields
from pathlib import Path
from typing import Any, Final

from .api.limits import Limits as ApiLimits
from .gateway.admission import networks
from .gateway.limits import Limits
from .ops.limits import DeskLimits, WatchLimits
from .store.durability import Durability
from .store.endpoint import BadStoreUrl, Endpoint

MAX_WORKERS: Final = 256

_NAME: Final = re.compile(r"[a-z][a-z_]{0,39}")
_HOST: Final = re.compile(r"[A-Za-z0-9._%:-]+|\[[A-Fa-f0-9.:%]+\]")


class SettingsError(Exception):
    """A setting that cannot be honoured; the text is one line for the person who set it."""


def _set(default: Any, text: str, *, secret: bool = False) -> Any:
    return field(default=default, repr=not secret, metadata={"help": text})


def _state_folder() -> str:
    base = os.environ.get("XDG_STATE_HOME") or os.path.expanduser("~/.local/state")
    return os.path.join(base, "trip-relay")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The relay's settings. `repr` shows no secret."""

    gateway: str = _set("127.0.0.1:8700", "HOST:PORT for the apps' WebSockets")
    api: str = _set("127.0.0.1:8701", "HOST:PORT for the platform's HTTP calls; keep it private")
    gateway_url: str = _set("", "URL that apps are told to connect to; from `gateway` if not set")
    workers: int = _set(1, "processes that serve; one for each core is a good start")
    redis: str = _set(
        "",
        "URL of an external store (redis://, unix://, redis+sentinel://, redis+cluster://, with "
        "TLS rediss://, rediss+sentinel://, rediss+cluster://); else embedded",
        secret=True,
    )  # fmt: skip
    durability: str = _set(
        "memory", "who has a message before it is accepted: memory, disk, replica or replica:2"
    )
    data: str = _set("", "folder of the embedded store and its key ring")
    keyring_file: str = _set("", "key ring file; needed with an external store")
    log_level: str = _set("info", "debug, info, warning or error")
    drain_s: float = _set(5.0, "over how long connections are sent away when the relay stops")
    drain_notice_s: float = _set(
        0.0, "how long a relay that stops goes on as before, not ready, so that balancers notice"
    )
    store_timeout_s: float = _set(2.0, "how long the store may owe an answer")
    token_ttl_s: int = _set(12 * 3600, "how long a party's token can be used to attach")
    longest_trip_s: int = _set(12 * 3600, "no channel stays open for longer")
    longest_retention_s: int = _set(7 * 86400, "no message is kept for longer after the close")
    evidence_retention_s: int = _set(180 * 86400, "how long a case's evidence is kept")
    longest_report_window_s: int = _set(7 * 86400, "no party can report for longer after the close")
    notice_delay_s: int = _set(86400, "how long parties are not told that evidence was read")
    audit_checkpoint_s: int = _set(300, "how often the audit log's end is signed and sent out")
    watch_cases_per_hour: int = _set(30, "cases an operator opens in an hour before it alarms")
    watch_cases_per_day: int = _set(120, "and in a day")
    watch_readings_per_hour: int = _set(20, "evidence an operator reads in an hour, likewise")
    watch_same_party_per_week: int = _set(3, "evidence of one party an operator reads in a week")
    ping_s: float = _set(25.0, "a connection this quiet is pinged")
    pong_timeout_s: float = _set(10.0, "and closed if it stays silent this long after")
    text_bytes: int = _set(2000, "longest text of a message, in bytes of UTF-8")
    posts_per_s: float = _set(5.0, "posts a party may make, with a burst of four seconds' worth")
    frames_per_s: float = _set(50.0, "other frames an app may send, with the same burst")
    in_flight: int = _set(16, "posts an app may have unanswered")
    channel_messages: int = _set(2000, "messages in a channel until it is full")
    trusted_proxies: str = _set(
        "", "addresses or networks of balancers whose X-Forwarded-For tells where apps are"
    )
    connections: int = _set(50_000, "apps that a worker serves at a time")
    connections_per_s: float = _set(500.0, "new connections a worker takes, and at once as many")
    address_connections: int = _set(2000, "of which so many may come from one address")
    address_connections_per_s: float = _set(50.0, "and so many a second, with the burst of posts")
    attaches_per_minute: int = _set(60, "times a party may attach at a worker, at once as often")
    calls_per_s: float = _set(
        1000.0, "calls a key of the platform may make at a worker, with the burst of posts"
    )

    def __post_init__(self) -> None:
        for name in ("gateway", "api"):
            address(getattr(self, name), name)
        if self.redis:
            try:
                Endpoint.parse(self.redis)
            except BadStoreUrl as error:
                raise SettingsError(f"redis: {error}") from None
        if self.gateway_url and not self.gateway_url.startswith(("ws://", "wss://")):
            raise SettingsError("gateway_url: must begin with ws:// or wss://")
        if self.log_level not in ("debug", "info", "warning", "error"):
            raise SettingsError("log_level: must be debug, info, warning or error")
        try:
            Durability.parse(self.durability)
        except ValueError as error:
            raise SettingsError(f"durability: {error}") from None
        try:
            networks(self.trusted_proxies)
        except ValueError:
            raise SettingsError(
                "trusted_proxies: must be addresses or networks, for example 10.0.0.0/8,192.0.2.7"
            ) from None
        for one in fields(self):
            value = getattr(self, one.name)
            if one.name in ("drain_s", "drain_notice_s") and value == 0:
                continue
            if isinstance(value, int | float) and value <= 0:
                raise SettingsError(f"{one.name}: must be more than 0")
        if self.workers > MAX_WORKERS:
            raise SettingsError(
                f"workers: at most {MAX_WORKERS}; one for each core is a good start"
            )
        if self.text_bytes > 8000:
            raise SettingsError("text_bytes: at most 8000, so that a message fits into a frame")
        if self.redis and not self.keyring_file and "RELAY_KEYRING" not in os.environ:
            raise SettingsError(
                "keyring_file: an external store needs a key ring; make one with "
                "`relay keyring new --file FILE` and name it with --keyring-file, or put it into "
                "RELAY_KEYRING"
            )

    @property
    def folder(self) -> Path:
        """The embedded store's folder."""
        return Path(self.data or _state_folder()).expanduser()

    @property
    def ring_path(self) -> Path:
        """The key ring's file."""
        return (
            Path(self.keyring_file).expanduser()
            if self.keyring_file
            else self.folder / "keyring.json"
        )

    @property
    def limits(self) -> Limits:
        """What the gateway enforces."""
        return Limits(**{one.name: getattr(self, one.name) for one in fields(Limits)})

    @property
    def desk_limits(self) -> DeskLimits:
        """What the operators' work is bound by."""
        kept_s = max(self.longest_retention_s, self.longest_report_window_s)
        return DeskLimits(
            evidence_s=self.evidence_retention_s,
            record_s=self.longest_trip_s + kept_s,
            notice_delay_s=self.notice_delay_s,
            watch=WatchLimits(**{one.name: getattr(self, one.name) for one in fields(WatchLimits)}),
        )

    @property
    def api_limits(self) -> ApiLimits:
        """What the API enforces."""
        return ApiLimits(
            longest_trip_s=self.longest_trip_s,
            longest_retention_s=self.longest_retention_s,
            longest_report_window_s=self.longest_report_window_s,
            token_ttl_s=self.token_ttl_s,
            calls_per_s=self.calls_per_s,
        )


def address(text: str, name: str) -> tuple[str, int]:
    """(host, port) of HOST:PORT. Raises `SettingsError`."""
    host, colon, port = text.rpartition(":")
    is_port = port.isascii() and port.isdigit() and len(port) <= 5 and int(port) <= 65535
    if not colon or not is_port or not _HOST.fullmatch(host):
        raise SettingsError(f"{name}: must be HOST:PORT, for example 127.0.0.1:8700")
    return host.strip("[]"), int(port)


def load(flags: Mapping[str, Any], environment: Mapping[str, str], file: Path | None) -> Settings:
    """Join the sources; `flags` holds only what was given. Raises `SettingsError`."""
    known = {one.name: one for one in fields(Settings)}
    values: dict[str, Any] = {}
    for name, value in _from_file(file).items():
        if name not in known:
            # What is no name at all may be anything, a secret on the wrong line included.
            what = f"there is no setting `{name}`" if _NAME.fullmatch(name) else _NO_NAME
            raise SettingsError(f"{file}: {what}")
        values[name] = _typed(known[name], value, f"{file}: {name}")
    for name, one in known.items():
        text = environment.get(f"RELAY_{name.upper()}")
        if text is not None:
            values[name] = _typed(one, text, f"RELAY_{name.upper()}")
    for name, value in flags.items():
        values[name] = _typed(known[name], value, f"--{name.replace('_', '-')}")
    return Settings(**values)


def _from_file(file: Path | None) -> dict[str, Any]:
    if file is None:
        return {}
    try:
        return tomllib.loads(file.read_text())
    except OSError as error:
        raise SettingsError(f"{file}: cannot be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise SettingsError(f"{file}: is not TOML (it is not UTF-8)") from None
    except tomllib.TOMLDecodeError as error:
        # Only the place: the rest of the error may quote the file.
        place = _PLACE.search(str(error))
        raise SettingsError(f"{file}: is not TOML{place[0] if place else ''}") from None
    except (ValueError, RecursionError):  # a number of thousands of digits, a list in a list in ...
        raise SettingsError(f"{file}: holds what no setting can be") from None


def _typed(one: Field[Any], value: Any, where: str) -> Any:
    # The annotations are strings, "int", "float" or "str".
    kind = {"int": int, "float": float, "str": str}[str(one.type)]
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise SettingsError(f"{where}: must be {_NAMES[kind]}")
    if kind is str:
        if not isinstance(value, str):
            raise SettingsError(f"{where}: must be {_NAMES[kind]}")
        return value
    if kind is int and isinstance(value, float):
        raise SettingsError(f"{where}: must be {_NAMES[kind]}")
    try:
        number = kind(value)
    except (ValueError, OverflowError):
        raise SettingsError(f"{where}: must be {_NAMES[kind]}") from None
    if number != number or number in (float("inf"), float("-inf")):
        raise SettingsError(f"{where}: must be {_NAMES[kind]}")
    return number


_NO_NAME: Final = "one of the settings has a name that no setting has"
_PLACE: Final = re.compile(r" \(at [a-z0-9 ,]+\)$")
_NAMES = {int: "a whole number", float: "a number", str: "a text in quotes"}
