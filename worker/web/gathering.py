"""Gathering: deliveries that arrive while others are being committed are committed together next."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import cast

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from worker.intake import Offer, Receipts

_MOST = 100
"""Deliveries in one transaction."""
_PATIENCE_S = 1.0
"""How long those who wait stay behind a transaction that hangs; then another begins beside it."""
_MOST_BESIDE = 8

Gather = Callable[[], Sequence[Offer]]
Commit = Callable[[Gather], Sequence[Receipts | Exception]]


class Gathering:
    """Commits offers, one transaction after the other; each is answered for itself. For one event loop."""

    def __init__(self, commit: Commit) -> None:
        """``commit`` is called in a thread, and returns what became of each offer that it gathered."""
        self._commit = commit
        self._waiting: deque[tuple[Offer, asyncio.Future[Receipts]]] = deque()
        self._going: asyncio.Task[None] | None = None
        self._transactions: set[asyncio.Task[None]] = set()

    async def take(self, offer: Offer) -> Receipts:
        """Return the receipts of an offer once it is committed. Raises whatever kept it from that."""
        future: asyncio.Future[Receipts] = asyncio.get_running_loop().create_future()
        self._waiting.append((offer, future))
        if self._going is None or self._going.done():
            self._going = asyncio.create_task(self._go())
        return await future

    async def _go(self) -> None:
        while self._waiting:
            transaction = asyncio.create_task(self._transact())
            self._transactions.add(transaction)
            transaction.add_done_callback(self._transactions.discard)
            await asyncio.wait({transaction}, timeout=_PATIENCE_S)
            if len(self._transactions) >= _MOST_BESIDE:
                await asyncio.wait(self._transactions, return_when=asyncio.FIRST_COMPLETED)

    async def _transact(self) -> None:
        gathered: list[tuple[Offer, asyncio.Future[Receipts]]] = []

        def gather() -> Sequence[Offer]:
            while self._waiting and len(gathered) < _MOST:
                gathered.append(self._waiting.popleft())
            # Two processes that insert the same keys in different orders would wait for each other.
            gathered.sort(key=lambda each: each[0].key)
            return [offer for offer, _ in gathered]

        became: Sequence[Receipts | Exception]
        try:
            became = await run_in_threadpool(self._commit, gather)
        except Exception as error:  # noqa: BLE001 - whoever waits is told, or would wait for ever
            became = [error for _ in gathered or gather()]
        for (_, future), each in zip(gathered, became, strict=True):
            _answer(future, each)


def gathering_of(request: Request) -> Gathering:
    """Return what gathers the deliveries to this application."""
    return cast("Gathering", request.app.state.gathering)


def _answer(future: asyncio.Future[Receipts], became: Receipts | Exception) -> None:
    if future.done():  # nobody waits any more
        return
    if isinstance(became, Exception):
        future.set_exception(became)
    else:
        future.set_result(became)
