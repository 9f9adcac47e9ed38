"""Valkey or Redis: keys, scripts, the hot path, topology, the embedded server."""
