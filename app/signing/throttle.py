"""A slow-down for whoever guesses passwords: after some wrong ones each costs twice the wait."""

import ipaddress
import threading
import time
from collections import OrderedDict
from collections.abc import Callable


class Throttle:
    """Counts wrong tries by address, in bounded memory.

    Args:
        free: wrong tries that cost nothing; more than are looked at at once, as those count too.
        first: seconds to wait after the next one; each further one doubles them.
        longest: the longest wait, and how long after the last try an address is forgotten.
        most: addresses that are remembered; the one that tried longest ago is forgotten first.
        clock: seconds that only rise.
    """

    def __init__(
        self,
        *,
        free: int = 10,
        first: float = 1.0,
        longest: float = 900.0,
        most: int = 10_000,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.free, self.first, self.longest, self.most = free, first, longest, most
        self._clock = clock
        self._tries: OrderedDict[str, tuple[int, float]] = OrderedDict()  # number, and the last
        self._lock = threading.Lock()

    def start(self, address: str) -> float:
        """Count a try before it is looked at, so that many at once are no way around.

        Returns:
            0 where it may go ahead, else the seconds to wait; a try that must wait is not counted.
        """
        key, now = _network(address), self._clock()
        with self._lock:
            number, last = self._tries.get(key, (0, now))
            if now - last >= self.longest:
                number = 0
            wait = last + self._wait(number) - now
            if wait > 0:
                return wait
            self._tries[key] = (number + 1, now)
            self._tries.move_to_end(key)
            while len(self._tries) > self.most:
                self._tries.popitem(last=False)
        return 0.0

    def was_right(self, address: str) -> None:
        """Take back the count of a try that was right; the wrong ones before it stay."""
        key = _network(address)
        with self._lock:
            number, last = self._tries.get(key, (0, 0.0))
            if number > 1:
                self._tries[key] = (number - 1, last)
            else:
                self._tries.pop(key, None)

    def _wait(self, number: int) -> float:
        if number < self.free:
            return 0.0
        return min(self.longest, self.first * 2.0 ** min(number - self.free, 60))


def _network(address: str) -> str:
    """Return an IPv4 address, or the /64 of an IPv6 one, all of which one household has."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address[:64]
    if parsed.version == 4:
        return str(parsed)
    return str(ipaddress.ip_network((parsed, 64), strict=False))
