"""How good the guard is: cases, an independent judge of what was delivered, and figures.

Nothing of this is on the way of a message. `cases` reads the lists, `reader` reads digits out of
any text without the guard's help, `judge` says whether a case was stopped, `figures` counts.
"""
