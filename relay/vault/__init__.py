"""Keys and what they protect: key ring, message encryption, sealed numbers, tags, tokens.

Pure: no I/O, no clock, no randomness. Times, nonces and random bytes are arguments.
"""
