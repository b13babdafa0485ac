"""The demo: a whole deployment in one process and a temporary directory, fed with a week of an organisation's events.

Everything runs for real (HTTP, database, worker, calls); only the mail host is the sandbox. Nothing here decides
anything about people: it delivers, waits, looks and tells.
"""
