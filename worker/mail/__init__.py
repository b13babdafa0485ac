"""What a mail host holds, as plain values: domains, addresses, mailboxes with all that is theirs, aliases, rewrites.

Nothing here talks to a host, a database or a clock; every other room may import from here.
"""

from worker.mail.address import (
    Address,
    InvalidAddress,
    address,
    domain_name,
    domain_of,
    is_local_part,
    local_part_of,
    readable,
)
from worker.mail.alias import Alias
from worker.mail.counted import agreeing, counted, listed
from worker.mail.domain import Domain
from worker.mail.fields import ACCESS_FLAGS, DOORS, WRITABLE_FIELDS, FieldValue
from worker.mail.forwarding import Forwarding
from worker.mail.identity import Identity
from worker.mail.mailbox import Mailbox
from worker.mail.rewrite import Rewrite, takes_mail_of
from worker.mail.shared import SharedKey, bare, called, is_rewrite, rewrite_key

__all__ = [
    "ACCESS_FLAGS",
    "DOORS",
    "WRITABLE_FIELDS",
    "Address",
    "Alias",
    "Domain",
    "FieldValue",
    "Forwarding",
    "Identity",
    "InvalidAddress",
    "Mailbox",
    "Rewrite",
    "SharedKey",
    "address",
    "agreeing",
    "bare",
    "called",
    "counted",
    "domain_name",
    "domain_of",
    "is_local_part",
    "is_rewrite",
    "listed",
    "local_part_of",
    "readable",
    "rewrite_key",
    "takes_mail_of",
]
