"""How a service's answer becomes "delivered", "try again" or "never".

Role: shared by all channels that POST. Neighbours: `clients.post` sends. Guarantees: Retry-After is passed on; what will
never be taken (a revoked token, a body that is refused) is permanent, everything else is tried again by the outbox; a reason
holds no address and no secret, and of the service's own words one short line.
"""

from __future__ import annotations

from watchdog.clients.post import Posted, Poster
from watchdog.ports import DeliveryFailed, Unavailable

Headers = tuple[tuple[str, str], ...]

JSON: Headers = (("Content-Type", "application/json; charset=utf-8"),)
TEMPORARY = frozenset({408, 409, 425, 429})
"""Of the 4xx, those that another try may pass."""
MOST_WORDS = 120


class Posting:
    """Base of channels that POST: refuses once it is closed, and turns every answer that is no success into a failure."""

    def __init__(self, name: str, poster: Poster) -> None:
        """`poster` is shared and closed by its owner."""
        self.name = name
        self._poster = poster
        self._closed = False

    async def send(self, url: str, body: bytes, headers: Headers = JSON) -> Posted:
        """POST and take 2xx for delivered. Raises DeliveryFailed."""
        if self._closed:
            raise DeliveryFailed("the channel is closed", permanent=True)
        try:
            posted = await self._poster.post(url, body, headers)
        except Unavailable as error:
            raise DeliveryFailed(str(error)) from None
        if 200 <= posted.status < 300:  # noqa: PLR2004 - the class of success
            return posted
        raise refused(posted)

    async def close(self) -> None:
        """Send nothing more."""
        self._closed = True


def refused(posted: Posted) -> DeliveryFailed:
    """The failure of an answer that is no success."""
    said = words(posted.body)
    reason = f"answered {posted.status}" + (f": {said}" if said else "")
    permanent = 300 <= posted.status < 500 and posted.status not in TEMPORARY  # noqa: PLR2004
    return DeliveryFailed(reason, retry_after=posted.retry_after_s, permanent=permanent)


def words(body: bytes) -> str:
    """One short printable line of a body; a page of HTML says nothing."""
    text = " ".join(body.decode("utf-8", "replace").split())
    if text[:1] == "<":
        return ""
    return "".join(letter if letter.isprintable() else "?" for letter in text[:MOST_WORDS])
