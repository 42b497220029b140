"""A tiny H.264 stream of field pictures, as camcorders write them and no encoder here does."""

_SIDE = 2  # macroblocks along a field picture


class _Bits:
    def __init__(self) -> None:
        self.text = ""

    def fixed(self, *values: tuple[int, int]) -> "_Bits":
        """Append (width, value) pairs."""
        self.text += "".join(format(value, f"0{width}b") for width, value in values)
        return self

    def golomb(self, *values: int) -> "_Bits":
        """Append unsigned Exp-Golomb codes."""
        for value in values:
            digits = format(value + 1, "b")
            self.text += "0" * (len(digits) - 1) + digits
        return self

    def align(self) -> "_Bits":
        self.text += "0" * (-len(self.text) % 8)
        return self

    def unit(self, head: int) -> bytes:
        """Return the NAL unit, with its start code."""
        self.text += "1"
        self.align()
        body, zeros = bytearray(), 0
        for place in range(0, len(self.text), 8):
            byte = int(self.text[place : place + 8], 2)
            if zeros >= 2 and byte <= 3:
                body.append(3)
                zeros = 0
            body.append(byte)
            zeros = 0 if byte else zeros + 1
        return b"\0\0\0\1" + bytes([head]) + bytes(body)


def _field(number: int, *, bottom: bool, grey: int) -> bytes:
    """Return an intra field picture of plain grey, in raw macroblocks."""
    bits = _Bits().golomb(0, 7, 0).fixed((4, 0), (1, 1), (1, bottom))
    if not bottom:
        bits.golomb(number % 2).fixed((1, 0))
    bits.fixed((1, 0)).golomb(0)
    for _ in range(_SIDE):
        bits.golomb(25).align()
        bits.text += format(grey, "08b") * 256 + format(128, "08b") * 128
    return bits.unit(0x61 if bottom else 0x65)


def field_pictures(frames: int) -> bytes:
    """Return a stream of frames in two fields each: the top one has grey value 40 + its number."""
    parameters = _Bits().fixed((8, 77), (8, 0), (8, 30)).golomb(0, 0, 2, 1).fixed((1, 0))
    parameters.golomb(_SIDE - 1, 0).fixed((1, 0), (1, 0), (1, 1), (1, 0), (1, 0))
    pictures = _Bits().golomb(0, 0).fixed((1, 0), (1, 0)).golomb(0, 0, 0).fixed((1, 0), (2, 0))
    pictures.golomb(0, 0, 0).fixed((1, 0), (1, 0), (1, 0))
    heads = parameters.unit(0x67) + pictures.unit(0x68)
    delimiter = b"\0\0\0\1\x09\x10"
    return b"".join(
        delimiter
        + heads
        + _field(number, bottom=False, grey=40 + number)
        + delimiter
        + _field(number, bottom=True, grey=140 + number)
        for number in range(frames)
    )
