"""The names of fields that faults may name: those of any object, shown or only sent."""

from worker.sandbox.fields import flag
from worker.sandbox.objects import ALIAS, DOMAIN, DOMAIN_SHOWN, FORWARDING, IDENTITY, MAILBOX, MAILBOX_SHOWN, REWRITE

_TABLES = (MAILBOX, MAILBOX_SHOWN, IDENTITY, ALIAS, FORWARDING, REWRITE, DOMAIN, DOMAIN_SHOWN)

BOOLEANS = frozenset(name for table in _TABLES for name, field in table.items() if field.read is flag)
"""What can be null where false is expected."""

FIELDS = frozenset(name for table in _TABLES for name in table) | {
    "local_part",
    "address",
    "password",
    "password_method",
    "forwarding_to",
    "create_default_addresses",
}
"""What can be in a body, and so be ignored; names that no table has are read by the rules of their objects."""
