"""Work in threads, ahead of who uses it. Light."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

Item = TypeVar("Item")
Made = TypeVar("Made")


def made_ahead(
    make: Callable[[Item], Made], items: Iterable[Item], *, batch: int, workers: int = 2
) -> Iterator[list[Made]]:
    """Yield `make(item)` of all items, in order, in lists of `batch`.

    While a list is used the next one is made; no more than two are held, whatever the number of
    items. Decoding and resizing release the interpreter lock, so that threads suffice.
    """
    with ThreadPoolExecutor(workers) as pool:
        waiting: deque[list[Future[Made]]] = deque()
        coming = iter(items)
        while group := list(islice(coming, batch)):
            waiting.append([pool.submit(make, item) for item in group])
            if len(waiting) > 1:
                yield [future.result() for future in waiting.popleft()]
        while waiting:
            yield [future.result() for future in waiting.popleft()]


def over_cores(make: Callable[[Item], Made], items: Iterable[Item]) -> Iterator[Made]:
    """Yield `make(item)` of all items, in order; on a CPU each core computes an item of its own.

    Cores that share the layers of one image wait for one another, and for the decoder: on a busy
    machine for ten times as long as they compute.
    """
    import torch

    from classify.device import one_thread

    workers = torch.get_num_threads()
    with one_thread():
        for made in made_ahead(make, items, batch=2 * workers, workers=workers):
            yield from made
