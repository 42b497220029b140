"""What water, lamps and the vehicle do to a frame, and plain degradations: functions of pixels.

Every function takes uint8 RGB [height, width, 3] and returns a new array of that shape. An `amount`
runs from 0, which changes nothing, to 1, about the worst that ROV footage shows; lengths follow the
size of the frame. Light: OpenCV is imported when an effect is called.
"""

import math

import numpy as np
import numpy.typing as npt

from classify.errors import UserError
from classify.images import Pixels, resize

SIDE = 0.2  # share of the width that the vehicle may cover at either side
REFERENCE = 512  # width in pixels for which the sizes of snow and parts are given

# Three waters, RGB: attenuation of the direct light and growth of the veil in 1/m, and the veil's
# colour (linear). They are of the order of Jerlov's oceanic and coastal types (Solonenko & Mobley,
# 2015, doi:10.1364/AO.54.005392) and of a floor that thrusters have stirred up. The two rates
# differ as Akkaynak & Treibitz (2018) found.
_WATERS = np.array(
    [
        [[0.40, 0.09, 0.06], [0.25, 0.10, 0.08], [0.06, 0.45, 1.00]],  # blue
        [[0.45, 0.17, 0.26], [0.30, 0.16, 0.22], [0.25, 1.00, 0.60]],  # green
        [[0.50, 0.45, 0.50], [0.45, 0.42, 0.40], [0.85, 1.00, 0.80]],  # silt
    ]
)
_LUMINANCE = np.array([0.2126, 0.7152, 0.0722])  # of linear RGB (ITU-R BT.709)
# Paints of vehicles, RGB: black, dark grey, steel, white, yellow, orange, blue.
_PAINTS = np.frombuffer(
    bytes.fromhex("18191c 3e4042 8a8e92 d6d8d4 c8a53c b46238 345084"), np.uint8
).reshape(-1, 3)

Floats = npt.NDArray[np.float32]
Points = npt.NDArray[np.float64]
Tubes = list[tuple[Points, float]]  # lines [points, 2], in shares of reach and height; widths

# Values to light, as if the tone curve were a square root: near enough to sRGB, and much faster.
_LINEAR: Floats = np.square(np.linspace(0, 1, 256, dtype=np.float32))


class AmountError(UserError):
    """A strength or amount outside its range; the message names it and the range."""


def check(name: str, value: float, low: float, high: float) -> None:
    """Check that `value` lies in [low, high].

    Raises:
        AmountError: it does not, or is not a number.
    """
    if not low <= value <= high:
        raise AmountError(f"{name} {value} is out of range; give a value from {low:g} to {high:g}")


def turbidity(pixels: Pixels, *, amount: float, rng: np.random.Generator) -> Pixels:
    """Add water between camera and scene: loss of contrast and colour, more towards the top.

    In linear light, as Akkaynak & Treibitz (2018, doi:10.1109/CVPR.2018.00703) after Jaffe (1990):
    I = J exp(-b_D d) + B (1 - exp(-b_B d)), for each channel. The added range d grows from the
    bottom to the top of the frame, because the camera looks ahead, to 7 to 11 m at amount 1. The
    water is a random mixture of blue, green and silty; its veil B is about as bright as the frame,
    as after automatic exposure.
    """
    import cv2

    check("amount", amount, 0, 1)
    if amount == 0:
        return pixels.copy()
    direct, growth, hue = np.tensordot(rng.dirichlet((1.0, 1.0, 1.0)), _WATERS, axes=1)
    level = float(np.dot(cv2.mean(_LINEAR[pixels[::4, ::4]])[:3], _LUMINANCE))
    veil = hue / np.dot(hue, _LUMINANCE) * max(level, 0.01) * rng.uniform(0.7, 1.7)
    y, x = np.linspace(1, 0, 24)[:, None], np.linspace(-0.5, 0.5, 8)[None]
    ahead = np.clip(y + rng.uniform(-0.3, 0.3) * x, 0, 1) ** 1.5
    metres = amount * (0.6 + (rng.uniform(7, 11) - 0.6) * ahead)[:, :, None]
    through = _enlarge(np.exp(-direct * metres), pixels)
    added = _enlarge(veil * (1 - np.exp(-growth * metres)), pixels)
    light = cv2.LUT(pixels, _LINEAR)
    cv2.multiply(light, through, dst=light)
    cv2.add(light, added, dst=light)
    return np.asarray(cv2.convertScaleAbs(cv2.sqrt(light), alpha=255), np.uint8)


def haze(pixels: Pixels, amount: float) -> Pixels:
    """Add `turbidity` of one and the same water, to compare amounts."""
    return turbidity(pixels, amount=amount, rng=np.random.default_rng(0))


def lamp(pixels: Pixels, *, amount: float, rng: np.random.Generator) -> Pixels:
    """Light the frame unevenly: one or two spots, and darker corners.

    The mean of the light is kept; amount 1 leaves a tenth of it outside the spots.
    """
    import cv2

    check("amount", amount, 0, 1)
    y, x = np.mgrid[-1:1:24j, -1:1:32j]
    field = np.full(x.shape, 0.1)
    for _ in range(int(rng.integers(1, 3))):
        right, down = rng.uniform(-0.7, 0.7), rng.uniform(-0.4, 0.6)
        width, height = rng.uniform(0.4, 0.9, 2)
        spot = ((x - right) / width) ** 2 + ((y - down) / height) ** 2
        field += rng.uniform(0.5, 1) * np.exp(-spot / 2)
    field /= 1 + 0.3 * (x**2 + y**2)
    gain = 1 - amount + amount * field / field.mean()
    # values are about the square root of light, so that the root of the gain applies to them
    full = _enlarge(np.repeat(np.sqrt(gain)[:, :, None], 3, axis=2), pixels)
    return np.asarray(cv2.multiply(pixels, full, dtype=cv2.CV_8U), np.uint8)


def snow(pixels: Pixels, *, amount: float, rng: np.random.Generator) -> Pixels:
    """Add marine snow: specks, streaks along one drift, and discs of particles near the lens."""
    import cv2

    check("amount", amount, 0, 1)
    height, width = pixels.shape[:2]
    unit = width / REFERENCE
    specks = np.zeros((height, width), np.uint8)
    angle, length = rng.uniform(0, math.tau), rng.exponential(2.0) * unit
    drift = length * np.array([math.cos(angle), math.sin(angle)])
    sizes = np.exp(rng.normal(-0.1, 0.55, rng.poisson(450 * amount))) * unit  # diameters
    starts = rng.uniform(0, 1, (len(sizes), 2)) * (width, height)
    ends = starts + drift * (sizes / unit)[:, None]
    # the longer a streak, the fainter: its light is spread along it
    lights = rng.uniform(60, 230, len(sizes)) / (1 + 0.25 * length / unit)
    places = np.rint(np.concatenate([starts, ends], axis=1) * 8).astype(int).tolist()
    widths = np.maximum(1, np.rint(sizes)).astype(int).tolist()
    for (x0, y0, x1, y1), thick, light in zip(places, widths, lights.tolist(), strict=True):
        cv2.line(specks, (x0, y0), (x1, y1), light, thick, cv2.LINE_AA, shift=3)
    cv2.GaussianBlur(specks, (0, 0), max(0.5, 0.7 * unit), dst=specks)
    cv2.add(specks, _near_discs(height, width, 18 * amount, rng), dst=specks)
    tint = rng.uniform(0.8, 1.0, 3)
    layer = cv2.merge([cv2.convertScaleAbs(specks, alpha=share) for share in tint.tolist()])
    return np.asarray(cv2.add(pixels, cv2.multiply(255 - pixels, layer, scale=1 / 255)), np.uint8)


def rov_frame(pixels: Pixels, *, amount: float, rng: np.random.Generator) -> Pixels:
    """Put parts of the vehicle at one or both sides: struts, skids, cables and an arm.

    They enter from the border, reach at most `amount` x `SIDE` of the width inwards, and are out of
    focus.
    """
    import cv2

    check("amount", amount, 0, 1)
    out = pixels.copy()
    height, width = pixels.shape[:2]
    reach = int(width * SIDE * amount)
    if reach < 2:
        return out
    # the light that reaches the parts has partly taken on the colour of the water
    mean = np.array(cv2.mean(pixels)[:3]) + 1
    tint = 1 - rng.uniform(0.3, 0.8) * (1 - mean / mean.max())
    sides = ((0,), (1,), (0, 1), (0, 1))[int(rng.integers(4))]
    for side in sides:
        colour, cover = _parts(height, reach, width / REFERENCE, rng)
        view = out[:, ::-1] if side else out
        view[:, :reach] = np.rint(view[:, :reach] * (1 - cover[:, :, None]) + colour * tint)
    return out


def reduce_resolution(pixels: Pixels, factor: float) -> Pixels:
    """Shrink by `factor` (1 to 64) and enlarge again."""
    check("factor", factor, 1, 64)
    height, width = pixels.shape[:2]
    small = resize(pixels, max(1, round(width / factor)), max(1, round(height / factor)))
    return resize(small, width, height).copy()


def jpeg(pixels: Pixels, quality: int) -> Pixels:
    """Compress as JPEG of `quality` 1 to 100 and decode."""
    import cv2

    check("quality", quality, 1, 100)
    data = cv2.imencode(".jpg", pixels[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, int(quality)])[1]
    decoded = cv2.imdecode(data, cv2.IMREAD_COLOR)
    return np.asarray(cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB), np.uint8)


def blur(pixels: Pixels, sigma: float) -> Pixels:
    """Blur with a Gaussian of `sigma` pixels, 0 to 100."""
    import cv2

    check("sigma", sigma, 0, 100)
    return np.asarray(cv2.GaussianBlur(pixels, (0, 0), sigma), np.uint8) if sigma else pixels.copy()


def brightness(pixels: Pixels, gain: float) -> Pixels:
    """Multiply the values by `gain`, 0 to 100, and clip."""
    import cv2

    check("gain", gain, 0, 100)
    return np.asarray(cv2.convertScaleAbs(pixels, alpha=gain), np.uint8)


def rotate(pixels: Pixels, degrees: float) -> Pixels:
    """Turn counter-clockwise about the centre; what enters at the borders is a reflection."""
    import cv2

    check("degrees", degrees, -360, 360)
    height, width = pixels.shape[:2]
    turn = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), degrees, 1.0)
    turned = cv2.warpAffine(pixels, turn, (width, height), borderMode=cv2.BORDER_REFLECT_101)
    return np.asarray(turned, np.uint8)


def _enlarge(field: Points, like: Pixels | Floats) -> Floats:
    """Resize a smooth field [rows, columns, 3] to the height and width of `like`."""
    import cv2

    size = (like.shape[1], like.shape[0])
    return np.asarray(cv2.resize(field.astype(np.float32), size, interpolation=cv2.INTER_LINEAR))


def _near_discs(height: int, width: int, number: float, rng: np.random.Generator) -> Pixels:
    """Faint, wide, soft discs on black, uint8 [height, width]; drawn at a quarter of the size."""
    import cv2

    small = np.zeros((height // 4 + 1, width // 4 + 1), np.uint8)
    unit = width / REFERENCE / 4
    for _ in range(int(rng.poisson(number))):
        x, y = (rng.uniform(0, 1, 2) * small.shape[::-1]).astype(int).tolist()
        radius, light = round(rng.uniform(4, 16) * unit), int(rng.integers(15, 60))
        cv2.circle(small, (x, y), max(1, radius), light, -1, cv2.LINE_AA)
    cv2.GaussianBlur(small, (0, 0), max(0.5, 5 * unit), dst=small)
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR))


def _parts(height: int, reach: int, unit: float, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Draw one to three parts that enter from the left.

    Returns:
        Colour, 0 to 255, already multiplied by cover [height, reach, 3]; cover [height, reach].
    """
    import cv2

    layer = np.zeros((height, reach, 4), np.uint8)
    sigma = max(0.4, rng.uniform(0.8, 2.2) * unit)
    room = reach - 2 * sigma  # so that the soft edge is not cut off
    shapes = (_strut, _strut, _skid, _cable, _arm)
    for _ in range(int(rng.integers(1, 4))):
        paint = _PAINTS[rng.integers(len(_PAINTS))] * rng.uniform(0.6, 1.15)
        for line, thick in shapes[rng.integers(len(shapes))](rng):
            _tube(layer, line * (room, height), thick * reach, paint)
    values = cv2.GaussianBlur(layer, (0, 0), sigma).astype(np.float32)
    # uneven lamp light, dirt and wear
    patches = rng.uniform(0.55, 1.1) * rng.uniform(0.75, 1.25, (12, 4, 1)).repeat(3, axis=2)
    colour = np.minimum(values[:, :, :3] * _enlarge(patches, values), values[:, :, 3:])
    return colour, np.asarray(values[:, :, 3] / 255, np.float32)


def _tube(layer: Pixels, line: Points, width: float, paint: Points) -> None:
    """Draw a line (pixels) as a tube, lit in the middle, into RGB and cover [height, reach, 4]."""
    import cv2

    width = max(1.0, width)
    places = np.rint((line - (width / 2, 0)) * 8).astype(np.int32)
    for share, shade in ((1.0, 0.4), (0.75, 0.7), (0.45, 1.0), (0.15, 1.25)):
        value = (*np.clip(paint * shade, 0, 255).tolist(), 255)
        cv2.polylines(
            layer, [places], False, value, max(1, round(width * share)), cv2.LINE_AA, shift=3
        )


def _strut(rng: np.random.Generator) -> Tubes:
    """An upright through the whole frame."""
    top, bottom = rng.uniform(0.1, 0.9) + rng.uniform(-0.25, 0.25, 2)
    return [(np.array([[min(top, 1), -0.1], [min(bottom, 1), 1.1]]), rng.uniform(0.15, 0.45))]


def _skid(rng: np.random.Generator) -> Tubes:
    """A runner across the lower corner."""
    line = np.array([[-0.3, rng.uniform(0.6, 0.95)], [rng.uniform(0.6, 1), 1.15]])
    return [(line, rng.uniform(0.15, 0.55))]


def _cable(rng: np.random.Generator) -> Tubes:
    """A thin, slack line, out at the side and in again."""
    start, end = np.sort(rng.uniform(-0.1, 1.1, 2))
    along = np.linspace(0, 1, 12)[:, None]
    corners = np.array(
        [[-0.3, start], [rng.uniform(0.8, 2.2), rng.uniform(start, end)], [-0.3, end]]
    )
    line = (1 - along) ** 2 * corners[0] + 2 * along * (1 - along) * corners[1]
    return [(line + along**2 * corners[2], rng.uniform(0.04, 0.1))]


def _arm(rng: np.random.Generator) -> Tubes:
    """A forearm and two fingers."""
    shoulder = np.array([-0.3, rng.uniform(0.6, 1.1)])
    wrist = np.array([rng.uniform(0.45, 0.62), rng.uniform(0.45, 0.8)])
    open_ = rng.uniform(0.03, 0.06)
    x, y = wrist
    fingers = [
        np.array([wrist, (x + 0.2, y + side * open_), (x + 0.38, y + side * open_ / 2)])
        for side in (-1, 1)
    ]
    return [(np.array([shoulder, wrist]), rng.uniform(0.2, 0.32)), *((f, 0.09) for f in fingers)]
