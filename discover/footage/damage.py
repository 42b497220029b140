"""Which frames of a video depend on damaged packets. Light."""


class Damage:
    """Tells the frames that were decoded from damaged data.

    A frame is made from frames decoded before it, so whatever is decoded from a damaged packet up
    to the next key frame is suspect; and so is what is decoded after that key frame but shown
    before it. The packet before the first that was found damaged is suspect too: damage seldom
    begins at a packet's border, and a decoder notices only what breaks the syntax. H.265 takes
    nearly any bytes as picture, so a few that changed within one go unseen.

    Packets have ordinals in the order in which they are decoded, from 1.
    """

    def __init__(self) -> None:
        self._hits: list[int] = []
        self._keys: list[tuple[int, int]] = []  # (ordinal, time stamp) of the key frames

    def key(self, ordinal: int, pts: int) -> None:
        """Note a key frame; forget what lies well before it."""
        self._keys.append((ordinal, pts))
        if len(self._keys) > 64:
            self._keys = self._keys[32:]
            oldest = self._keys[0][0]
            self._hits = [hit for hit in self._hits if hit >= oldest]

    def hit(self, ordinal: int) -> None:
        """Note a damaged packet."""
        self._hits.append(ordinal)

    def touches(self, ordinal: int, pts: int) -> bool:
        """Return whether the frame of a packet depends on a damaged one."""
        for hit in self._hits:
            if ordinal < hit - 1:
                continue
            key = next((k for k in self._keys if k[0] > hit), None)
            if key is None or ordinal < key[0] or pts < key[1]:
                return True
        return False
