"""Memory is handed out in order, for a while, and comes back."""

import asyncio

import pytest

from taxon_model_server.errors import Overloaded, TooLarge
from taxon_model_server.memory import MemoryBudget, Share, request_memory

LONG, SHORT = 60.0, 0.05


async def hold(budget: MemoryBudget, size: int, done: asyncio.Event, order: list[int]) -> None:
    """Reserve some bytes until released."""
    share = Share(budget)
    try:
        await share.take(size)
        order.append(size)
        await done.wait()
    finally:
        share.give_back()


def budget_of(size: int, seconds: float = LONG) -> MemoryBudget:
    """Return a budget of so many bytes."""
    return MemoryBudget(lambda: size, wait_seconds=seconds)


async def settle() -> None:
    """Let every task run as far as it can."""
    for _ in range(10):
        await asyncio.sleep(0)


@pytest.mark.asyncio
async def test_who_asks_first_is_served_first() -> None:
    """A small request does not overtake a large one that waits."""
    budget, order = budget_of(10), list[int]()
    events = [asyncio.Event() for _ in range(3)]
    tasks = []
    for size, event in zip((6, 9, 2), events, strict=True):
        tasks.append(asyncio.create_task(hold(budget, size, event, order)))
        await settle()
    held = [order[:]]
    for event in events:
        event.set()
        await settle()
        held.append(order[:])
    await asyncio.gather(*tasks)

    assert held == [[6], [6, 9], [6, 9, 2], [6, 9, 2]]


@pytest.mark.asyncio
async def test_who_waits_too_long_is_sent_away() -> None:
    """Beyond the wait there is an error that says when to come back, and those behind go on."""
    budget, order, done = budget_of(10, SHORT), list[int](), asyncio.Event()
    first = asyncio.create_task(hold(budget, 6, done, order))
    await settle()
    second = asyncio.create_task(hold(budget, 9, done, order))
    await settle()
    third = asyncio.create_task(hold(budget, 4, done, order))
    with pytest.raises(Overloaded) as caught:
        await second
    await settle()
    done.set()
    await asyncio.gather(first, third, return_exceptions=True)

    assert caught.value.seconds == 1
    assert order[0] == 6


@pytest.mark.asyncio
async def test_who_leaves_gives_back_what_came_last() -> None:
    """A waiting request that is cancelled, even as it is served, holds nothing."""
    budget, order = budget_of(10), list[int]()
    first, others = asyncio.Event(), asyncio.Event()
    holder = asyncio.create_task(hold(budget, 10, first, order))
    await settle()
    waiting = [asyncio.create_task(hold(budget, 10, others, order)) for _ in range(2)]
    await settle()
    waiting[1].cancel()
    first.set()
    await holder
    waiting[0].cancel()  # it was served as the holder ended, and does not know yet
    await asyncio.gather(*waiting, return_exceptions=True)

    await asyncio.wait_for(budget.take(10), LONG)


@pytest.mark.asyncio
async def test_what_never_fits_is_too_large() -> None:
    """More than the whole budget is refused at once, with both numbers."""
    with pytest.raises(TooLarge, match="may need 2 MiB of memory to answer, this server has 1"):
        await budget_of(2**20).take(2**21)


def test_a_request_needs_memory_for_its_body_and_its_answer() -> None:
    """The need grows with the body, and with the rows and classes a body of the size can have."""

    def need(size: int, classes: int, max_rows: int) -> int:
        return request_memory(size, features=4, classes=classes, max_rows=max_rows)

    assert need(2**24, 2, 1) - need(2**23, 2, 1) >= 2**23
    assert need(2**20, 2, 10**6) > 2 * need(2**20, 2, 1)
    assert need(2**20, 200, 10**6) > 10 * need(2**20, 2, 10**6)
