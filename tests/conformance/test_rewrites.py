"""Rewrites: patterns of addresses whose mail goes to others on the same domain."""

import httpx
import pytest

from tests.conformance.bodies import BAD_REQUEST, Body, alias, fresh, rewrite


@pytest.fixture
def demo(api: httpx.Client) -> Body:
    """A rewrite as it was answered when it was made."""
    answer = api.post("rewrites", json=rewrite())
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_create_answers_200_with_the_rewrite(api: httpx.Client, domain: str) -> None:
    """The answer has five keys and whole addresses (migadu-behaviour.md 1.7; 5, rewrites)."""
    body = rewrite(order_num=7)
    answer = api.post("rewrites", json=body)

    expected = {**body, "domain_name": domain, "destinations": [f"one@{domain}", f"two@{domain}"]}
    assert (answer.status_code, answer.json()) == (200, expected)


def test_order_number_is_not_required(demo: Body) -> None:
    """Without one it is given one, a whole number (migadu-behaviour.md 1.7; 5, rewrites)."""
    assert type(demo["order_num"]) is int


def test_list_show_update_and_delete_answer_the_rewrite(api: httpx.Client, demo: Body) -> None:
    """Each verb is 200 with the object, the list under `rewrites` (migadu-behaviour.md 1.2, 2.1, 2.2)."""
    path = f"rewrites/{demo['name']}"

    listed, shown, updated = api.get("rewrites"), api.get(path), api.put(path, json={"order_num": 3})
    deleted = api.delete(path)

    assert [answer.status_code for answer in (listed, shown, updated, deleted)] == [200] * 4
    assert list(listed.json()) == ["rewrites"]
    assert demo in listed.json()["rewrites"]
    assert shown.json() == demo
    assert updated.json() == {**demo, "order_num": 3} == deleted.json()


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_missing_rewrite_is_404(api: httpx.Client, demo: Body, method: str) -> None:
    """What is not there, or no longer, is 404 (migadu-behaviour.md 2.4)."""
    path = f"rewrites/{demo['name']}"
    api.delete(path)

    assert api.request(method, path, json={"order_num": 3}).status_code == 404


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        ("one@domain.tld,two@domain.tld", ["one", "two"]),
        (["one@domain.tld", "two@other.tld"], ["one", "two"]),
        ("one, two", ["one", "two"]),
        (["one", "two"], ["one", "two"]),
    ],
    ids=["csv-foreign", "array-foreign", "csv-bare", "array-bare"],
)
def test_destinations_end_on_the_own_domain(api: httpx.Client, domain: str, sent: object, shown: list[str]) -> None:
    """CSV or array; foreign domains are rewritten, bare local parts completed (migadu-api.txt, Rewrites; 1.7)."""
    answer = api.post("rewrites", json=rewrite(destinations=sent))

    assert (answer.status_code, answer.json()["destinations"]) == (200, [f"{part}@{domain}" for part in shown])


@pytest.mark.parametrize(
    "change", [{"local_part_rule": "help-*"}, {"order_num": 42}, {"destinations": ["three"]}], ids=str
)
def test_update_changes_what_it_names_and_nothing_else(
    api: httpx.Client, demo: Body, domain: str, change: Body
) -> None:
    """PUT is partial, and replaces the list of destinations (migadu-behaviour.md 2.17; 5, rewrites)."""
    answer = api.put(f"rewrites/{demo['name']}", json=change)

    shown = {"destinations": [f"three@{domain}"]} if "destinations" in change else change
    assert (answer.status_code, answer.json()) == (200, {**demo, **shown})


def test_update_of_the_name_renames(api: httpx.Client, demo: Body) -> None:
    """Afterwards only the new name is found (migadu-behaviour.md 1.7; 5, rewrites)."""
    name = fresh("renamed")
    answer = api.put(f"rewrites/{demo['name']}", json={"name": name})

    assert (answer.status_code, answer.json()) == (200, {**demo, "name": name})
    assert api.get(f"rewrites/{name}").json() == answer.json()
    assert api.get(f"rewrites/{demo['name']}").status_code == 404


def test_update_with_its_own_name_is_no_duplicate(api: httpx.Client, demo: Body) -> None:
    """Sending the name along, as the official example does, changes nothing (migadu-api.txt, Rewrites/UPDATE)."""
    answer = api.put(f"rewrites/{demo['name']}", json={"name": demo["name"]})

    assert (answer.status_code, answer.json()) == (200, demo)


def test_taken_name_is_400(api: httpx.Client, demo: Body) -> None:
    """A name is used once, on create and on rename (migadu-behaviour.md 2.5; 5, rewrites; rename: our reading)."""
    other = api.post("rewrites", json=rewrite()).json()

    created = api.post("rewrites", json=rewrite(name=demo["name"]))
    renamed = api.put(f"rewrites/{other['name']}", json={"name": demo["name"], "order_num": 3})

    assert (created.status_code, created.json()) == BAD_REQUEST
    assert (renamed.status_code, renamed.json()) == BAD_REQUEST
    assert api.get(f"rewrites/{other['name']}").json() == other


@pytest.mark.parametrize("field", ["name", "local_part_rule", "destinations"])
@pytest.mark.parametrize("value", [None, "", "absent"], ids=repr)
def test_create_requires(api: httpx.Client, field: str, value: str | None) -> None:
    """Name, rule and destinations must be there (migadu-behaviour.md 5, rewrites, missing fields)."""
    body = rewrite(**{field: value})
    if value == "absent":
        del body[field]
    answer = api.post("rewrites", json=body)

    assert (answer.status_code, answer.json()) == BAD_REQUEST


def test_rule_needs_no_star(api: httpx.Client) -> None:
    """The panel demands a `*`, the API does not (migadu-behaviour.md 1.7)."""
    rule = fresh("catch") + "+"
    answer = api.post("rewrites", json=rewrite(local_part_rule=rule))

    assert (answer.status_code, answer.json()["local_part_rule"]) == (200, rule)


def test_name_is_no_address(api: httpx.Client, demo: Body) -> None:
    """A rewrite's name is its key; it holds no address (migadu-behaviour.md 1.7; 2, namespaces)."""
    assert api.post("aliases", json=alias(local_part=demo["name"])).status_code == 200


@pytest.mark.parametrize("attempt", [{"domain_name": "evil.example"}, {"no_such_field": 1}], ids=str)
def test_update_ignores_what_cannot_be_written(api: httpx.Client, demo: Body, attempt: Body) -> None:
    """Read-only and unknown keys are 200 and change nothing (migadu-api.txt, Rewrites; migadu-behaviour.md 2.16)."""
    answer = api.put(f"rewrites/{demo['name']}", json=attempt)

    assert (answer.status_code, answer.json()) == (200, demo)
