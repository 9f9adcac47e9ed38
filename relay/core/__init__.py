"""The relay's rules, pure: no I/O, no clock, no randomness. `now` and random bytes are arguments."""
