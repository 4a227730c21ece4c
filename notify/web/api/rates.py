"""How often a key may ask: so many requests a minute, a quarter of them at once."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic


class Rates:
    """A token bucket for each key, in this process.

    Args:
        per_minute: requests of one key, on average.
        clock: seconds, for tests.
    """

    def __init__(self, per_minute: int, clock: Callable[[], float] = monotonic) -> None:
        self._per_second = per_minute / 60
        self._most = max(1.0, per_minute / 4)
        self._clock = clock
        self._left: dict[int, tuple[float, float]] = {}  # tokens, and when

    def take(self, key_id: int) -> float:
        """Count one request.

        Returns:
            0 where it may pass, else the seconds after which to ask again.
        """
        moment = self._clock()
        left, then = self._left.get(key_id, (self._most, moment))
        left = min(self._most, left + (moment - then) * self._per_second)
        passes = left >= 1
        self._left[key_id] = (left - passes, moment)
        return 0.0 if passes else (1 - left) / self._per_second
