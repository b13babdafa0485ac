"""Turns at writing: first come, first served, and nobody waits for ever."""

import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

from worker.store.turns import Turns


@contextmanager
def queued(turns: Turns, number: int, patience_s: float = 30) -> Iterator[list[Future[int]]]:
    """Threads that ask for the turn one after the other while this one has it; each gives it on."""
    order = iter(range(number))
    asked = threading.Semaphore(0)

    def wait() -> int:
        asked.release()
        turns.take(patience_s)
        place = next(order)
        turns.leave()
        return place

    turns.take(patience_s)
    with ThreadPoolExecutor(number) as pool:
        futures = []
        for count in range(number):
            futures.append(pool.submit(wait))
            asked.acquire()
            while len(turns._waiting) <= count and patience_s > 1:
                pass
        yield futures


def test_whoever_asked_first_is_first() -> None:
    """Nobody passes anybody."""
    turns = Turns()
    with queued(turns, 20) as futures:
        turns.leave()
        places = [future.result(10) for future in futures]

    assert places == list(range(20))


def test_whoever_goes_ahead_is_next_and_all_others_keep_their_order() -> None:
    """Of twenty who wait nobody is before two who come last and go ahead, of whom the first is first."""
    turns, order = Turns(), list[str]()

    def ahead(name: str, others: list[Future[int]]) -> None:
        turns.take(30, ahead=True)
        order.append(f"{name} before {sum(not each.done() for each in others)}")
        turns.leave()

    with queued(turns, 20) as futures, ThreadPoolExecutor(2) as pool:
        for number, name in enumerate(("first", "second")):
            pool.submit(ahead, name, futures)
            while len(turns._ahead) <= number:
                pass
        turns.leave()
        places = [future.result(10) for future in futures]

    assert order == ["first before 20", "second before 20"]
    assert places == list(range(20))


def test_a_thread_that_has_the_turn_has_it() -> None:
    """Asking again does not wait, and one leave ends it, for who holds it alone."""
    turns = Turns()
    turns.take(0)
    turns.take(0)
    with ThreadPoolExecutor(1) as pool:
        pool.submit(turns.leave).result()
        pool.submit(turns.take, 0.01).result()  # goes on without it
        assert turns._holder == threading.get_ident()
        turns.leave()
        pool.submit(turns.take, 10).result()

        assert turns._holder not in {None, threading.get_ident()}


def test_patience_ends() -> None:
    """Who waited long enough goes on without the turn and takes no place in the queue any more."""
    turns = Turns()
    with queued(turns, 3, patience_s=0.05) as futures:
        assert sorted(future.result(10) for future in futures) == [0, 1, 2]
        turns.leave()

    assert turns._holder is None
    assert not turns._waiting
