"""Relays and stores as processes on this machine, for load, faults and tests."""
