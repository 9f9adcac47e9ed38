"""The SDK runs where only websockets and msgpack are installed."""

import importlib.util
import subprocess
import sys
from pathlib import Path

CORE = (".casework", ".codes", ".phrases", ".session")

PROGRAM = """
import sys
sys.path[:] = [sys.argv[1], *(p for p in sys.path if "site-packages" not in p)]
import relay.client
from relay.client import connect
foreign = {"msgspec", "redis", "hiredis", "starlette", "picows", "structlog", "cryptography"}
print(sorted(foreign & sys.modules.keys()))
print(sorted(name for name in sys.modules if name.startswith("relay.") and "client" not in name))
"""


def test_it_imports_nothing_else_of_the_relay_or_the_world(tmp_path: Path) -> None:
    for name in ("websockets", "msgpack", "relay"):
        spec = importlib.util.find_spec(name)
        assert spec is not None
        assert spec.origin is not None
        (tmp_path / name).symlink_to(Path(spec.origin).parent)
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", PROGRAM, str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.stderr == ""
    foreign, own = done.stdout.splitlines()
    assert foreign == "[]"
    assert own == str([f"relay.core{name}" for name in ("", *CORE)])
