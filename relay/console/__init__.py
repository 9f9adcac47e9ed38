"""The operators' web page at `/ops`: rendered on the server, with one small script of our own.

Every page works without the script; with it lists keep themselves up to date and clocks count. The
pages call `relay.ops` and nothing below it, so what they may not do, nobody may by way of them.
"""
