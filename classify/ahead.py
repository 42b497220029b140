"""Work on the next batch in threads while the current one is used. Light."""

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
