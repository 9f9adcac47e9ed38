"""No secret is on any command line, of the commands or of what they start."""

from __future__ import annotations

import json
from pathlib import Path

from tests.support.relay import CUSTOMER_PHONE, DRIVER_PHONE, opening

from .commands import command_lines, relay_command
from .conftest import Platform


async def test_no_command_line_ever_holds_a_secret(platform: Platform, tmp_path: Path) -> None:
    relay, environment = platform.relay, platform.environment
    key_file = tmp_path / "api.key"
    key_file.touch(0o600)
    key_file.write_text(relay.key)
    body = tmp_path / "trip.json"
    body.write_text(json.dumps(opening("secret-1")))
    parties = ("--driver", "drv-1:Budi", "--customer", "cus-1:Sari")
    with command_lines() as seen:
        opened = await relay_command("trip", "open", "--file", body, "--json", **environment)
        again = await relay_command(
            "trip", "open", "secret-1", *parties, "--phones-stdin", "--json",
            "--api-key-file", key_file, "--url", relay.api_url,
            given=f"{DRIVER_PHONE}\n{CUSTOMER_PHONE}\n",
        )  # fmt: skip
        token = again.json["driver"]["token"]
        file = platform.token_file("driver", token)
        url = ("--url", relay.gateway_url, "--linger-s", 0)
        by_file = await relay_command("chat", *url, "--token-file", file, given="satu\n")
        by_variable = await relay_command("chat", *url, given="dua\n", RELAY_TOKEN=token)
        made = await relay_command("apikey", "new", "--scope", "metrics", "--data", relay.data)
        fresh = await relay_command(
            "apikey", "new", "--scope", "metrics", "--data", tmp_path / "own"
        )
        printed = await relay_command("keyring", "new", "--print", "--days", 1)
        demo = await relay_command("demo", "--script", TMPDIR=str(tmp_path))
    every = (opened, again, by_file, by_variable, made, fresh, printed, demo)
    assert [done.code for done in every] == [0] * len(every)
    together = b"\n".join(seen)
    # What was watched is what was meant.
    for words in (
        b"trip\0open",
        b"chat\0--url",
        b"apikey\0new",
        b"demo\0--script",
        b"relay.worker",
    ):
        assert words in together, words
    secrets = [
        relay.key, token, opened.json["customer"]["token"], made.out.strip(), fresh.out.strip(),
        *(key["key"] for key in printed.json["numbers"]),
    ]  # fmt: skip
    for secret in secrets:
        assert secret.encode() not in together
    for phone in (DRIVER_PHONE, CUSTOMER_PHONE):
        assert phone[-9:].encode() not in together
