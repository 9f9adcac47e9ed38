"""The relay's rules, pure: no I/O, no clock, no randomness. Times and such are arguments."""
