"""What we remember: tables, sessions and every query there is.

Nothing here commits, asks the clock or decides what should happen; the use cases do.
"""
