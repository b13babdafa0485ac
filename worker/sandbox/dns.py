"""What the host tells about a domain beside the domain itself: records, diagnostics, usage (`migadu-behaviour.md` 1.8).

The shapes are Migadu's, the values of the records are plausible, and no DNS is asked: whether a domain's DNS is right
is what the sandbox was told.
"""

from worker.sandbox.asked import Asked
from worker.sandbox.wire import Fields, Json

_COMPLAINTS = {
    "mx": "No MX record points to Migadu.",
    "spf": "The SPF record is missing.",
    "dkim": "The DKIM records are missing.",
    "dmarc": "The DMARC record is missing.",
}


def records(asked: Asked) -> Fields:
    """Return the records that the domain's zone should hold: types in lower case, DKIM targets with a final dot."""
    name = asked.domain.name
    return {
        "domain_name": name,
        "dns_verification": _record(name, "txt", f"hosted-email-verify={name.encode().hex()[:8]}"),
        "mx_records": [
            {**_record(name, "mx", f"aspmx{number}.migadu.com"), "priority": 10 * number} for number in (1, 2)
        ],
        "spf": _record(name, "txt", "v=spf1 include:spf.migadu.com -all"),
        "dkim": [
            _record(f"key{number}._domainkey.{name}", "cname", f"key{number}.{name}._domainkey.migadu.com.")
            for number in (1, 2, 3)
        ],
        "dmarc": _record(f"_dmarc.{name}", "txt", "v=DMARC1; p=quarantine;"),
    }


def diagnostics(asked: Asked) -> Fields:
    """Return what is wrong with the domain's DNS; empty lists mean nothing is."""
    domain = asked.domain
    return {check: [] if domain.dns_ok else [complaint] for check, complaint in _COMPLAINTS.items()}


def usage(asked: Asked) -> Fields:
    """Return the domain's traffic, of which a sandbox has none, and what its mailboxes store."""
    domain = asked.domain
    stored = [mailbox.fields["storage_usage"] for mailbox in domain.mailboxes.values()]
    storage = sum(amount for amount in stored if isinstance(amount, float))
    return {"domain_name": domain.name, "incoming": 0, "outgoing": 0, "storage": float(storage)}


def _record(name: str, type_: str, value: str) -> dict[str, Json]:
    return {"name": name, "type": type_, "value": value}
