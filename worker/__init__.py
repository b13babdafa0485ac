"""Mailroster keeps an organisation's Migadu mailboxes in step with its roster.

The rooms are described in their own ``__init__``; the way of an event is `intake`, then `execution`.
"""
