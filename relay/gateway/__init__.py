"""The WebSocket edge: apps on one side, the store on the other.

How a message goes, top-down: `connection` (frame in, decoded) → `posting` (checked, sealed, stored,
acknowledged, delivered) → `catchup` (whatever was missed, read from the log). `attaching` seats and
unseats connections, `events` acts on what other nodes and the platform did, `node` holds it all.
"""
