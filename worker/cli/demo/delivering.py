"""Delivering: each event is signed and posted to the intake over HTTP, as an HR system would."""

from dataclasses import dataclass

import httpx

from worker.cli.demo.scene import SOURCE, Scene, new_secret
from worker.cli.demo.week import Delivery
from worker.sources.presets import STANDARD_WEBHOOKS
from worker.sources.signature import sign

_TIMEOUT_S = 30.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What the intake answered to one delivery."""

    delivery: Delivery
    status: int
    event_id: int | None = None
    """Our id of the event; None if it was refused."""
    duplicate: bool = False
    conflict: bool = False
    """The same id came before with another body."""
    why: str = ""
    """The reason given for a refusal."""

    @property
    def expected(self) -> bool:
        """Whether an honest delivery was taken, and a forged one refused for its signature."""
        if self.delivery.forged:
            return self.status == 401
        return self.status == 202 and not self.conflict and (self.duplicate or not self.delivery.repeated)


def deliver(scene: Scene, client: httpx.Client, delivery: Delivery) -> Answer:
    """Post one delivery and return the answer. Raises httpx.TransportError if the server does not answer."""
    secret = new_secret() if delivery.forged else scene.secret
    headers = sign(STANDARD_WEBHOOKS, delivery.body, secret, scene.deployment.clock.now(), delivery.name)
    headers["content-type"] = "application/json"
    url = f"{scene.server_url}/hooks/{SOURCE}"
    response = client.post(url, content=delivery.body, headers=headers, timeout=_TIMEOUT_S)
    if response.status_code != 202:
        return Answer(delivery, response.status_code, why=_why(response))
    (receipt,) = response.json()["events"]
    return Answer(
        delivery,
        response.status_code,
        event_id=int(receipt["id"]),
        duplicate=receipt.get("duplicate") is True,
        conflict=receipt.get("conflict") is True,
    )


def _why(response: httpx.Response) -> str:
    try:
        problem = response.json()
    except ValueError:
        return "no reason given"
    return (
        str(problem.get("detail") or problem.get("title")).rstrip(".")
        if isinstance(problem, dict)
        else "no reason given"
    )
