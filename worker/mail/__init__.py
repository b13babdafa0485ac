"""What a mail host holds, as plain values: addresses, mailboxes with their identities, aliases.

Nothing here talks to a host, a database or a clock; every other room may import from here.
"""

from worker.mail.address import Address, InvalidAddress, address, domain_of, is_local_part, local_part_of
from worker.mail.alias import Alias
from worker.mail.mailbox import ACCESS_FLAGS, DOORS, WRITABLE_FIELDS, FieldValue, Identity, Mailbox

__all__ = [
    "ACCESS_FLAGS",
    "DOORS",
    "WRITABLE_FIELDS",
    "Address",
    "Alias",
    "FieldValue",
    "Identity",
    "InvalidAddress",
    "Mailbox",
    "address",
    "domain_of",
    "is_local_part",
    "local_part_of",
]
