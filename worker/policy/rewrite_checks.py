"""What the rewrites of a policy may not say although each of their keys is well formed."""

from collections.abc import Collection, Iterator

from worker.mail import Address, InvalidAddress, domain_of, local_part_of, takes_mail_of
from worker.policy.document import Policy, RewriteSection
from worker.toml.lines import Finding, KeyPath


def rewrites(policy: Policy, protected: Collection[Address]) -> Iterator[Finding]:
    """Yield where rewrites contradict one another, the policy's domains and protected addresses or the host."""
    names, rules = set[tuple[str, str]](), set[tuple[str, str]]()
    for index, rewrite in enumerate(policy.rewrites):
        here: KeyPath = ("rewrites", index)
        domain = policy.domain_of(rewrite)
        if domain not in policy.mail_domains:
            yield (*here, "domain"), f"{domain} is none of the policy's domains: {', '.join(policy.mail_domains)}"
        if (rewrite.name, domain) in names:
            yield (*here, "name"), f"{rewrite.name!r} is the name of another rewrite already"
        if (rewrite.local_part_rule, domain) in rules:
            taken = f"{rewrite.local_part_rule!r} is another rewrite's rule already, so one of them gets nothing"
            yield (*here, "local_part_rule"), taken
        if theirs := _of_protected(rewrite, domain, protected):
            takes = f"{rewrite.local_part_rule!r} takes the mail of {', '.join(theirs)}, in naming.protected"
            yield (*here, "local_part_rule"), f"{takes}; narrow it, or take that out there first"
        names.add((rewrite.name, domain))
        rules.add((rewrite.local_part_rule, domain))
        if (reason := _fallback(policy, rewrite, domain)) is not None:
            yield (*here, "fallback"), reason


def _of_protected(rewrite: RewriteSection, domain: str, protected: Collection[Address]) -> list[Address]:
    of_domain = sorted(each for each in protected if domain_of(each) == domain)
    return [each for each in of_domain if takes_mail_of(rewrite.local_part_rule, local_part_of(each))]


def _fallback(policy: Policy, rewrite: RewriteSection, domain: str) -> str | None:
    if rewrite.fallback is None:
        return None
    try:
        full = policy.address_of(rewrite.fallback, domain)
    except InvalidAddress as error:
        return str(error)
    # The host turns destinations of other domains into its own (`migadu-behaviour.md` 1.6), so none may be named.
    return None if domain_of(full) == domain else f"{rewrite.fallback!r} is not an address of {domain}"
