"""Reading images: one decoder for every format and step. Light: numpy and Pillow only.

Pillow decodes JPEG at 1/2, 1/4 or 1/8 scale inside the codec (`Image.draft`), releases the
interpreter lock while decoding, and, unlike OpenCV, raises on a truncated file.
"""

import io
import math
import struct
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps

from classify.errors import UserError

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".tif", ".tiff", ".webp", ".bmp"})
MAX_PIXELS = 300_000_000  # about 900 MB as RGB; a larger file is more likely an attack than a frame
# What a frame can be. Pillow knows more, and hands some of it, such as PostScript, to a program.
_FORMATS = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")
_ORIENTATION = 0x0112  # EXIF tag
_TRANSPOSED = (5, 6, 7, 8)
_DAMAGE = (
    OSError, ValueError, SyntaxError, MemoryError, EOFError, IndexError,
    struct.error,  # of EXIF
)  # fmt: skip

Pixels = npt.NDArray[np.uint8]

Image.MAX_IMAGE_PIXELS = None  # `open_image` checks the size itself, with a clearer message


class ImageError(UserError):
    """An image that cannot be read; the message gives the reason, after the file where known."""


@dataclass(frozen=True)
class Decoded:
    """Pixels of an image, perhaps at reduced scale.

    Attributes:
        pixels: uint8 RGB [height, width, 3], upright.
        width: width of the file's image in pixels, upright, whatever the scale of `pixels`.
        height: height likewise.
    """

    pixels: Pixels
    width: int
    height: int

    @property
    def scale(self) -> float:
        """Pixels here per pixel of the file, at most 1."""
        return self.pixels.shape[1] / self.width


def open_image(source: Path | bytes) -> Image.Image:
    """Open an image without decoding it, and check its size.

    Raises:
        ImageError: it is empty, not an image, or has more than `MAX_PIXELS` pixels.
    """
    name = _prefix(source)
    try:
        data = source.read_bytes() if isinstance(source, Path) else source
        if not data:
            raise ImageError(f"{name}the file is empty")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # notes on odd metadata, which is not needed
            image = Image.open(io.BytesIO(data), formats=_FORMATS)
    except ImageError:
        raise
    except (OSError, ValueError, SyntaxError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "not an image"
        raise ImageError(f"{name}{reason}") from error
    pixels = image.width * image.height
    if pixels > MAX_PIXELS:
        raise ImageError(
            f"{name}{image.width} x {image.height} is more than {MAX_PIXELS / 1e6:.0f} megapixels"
        )
    return image


def read_image(source: Path | bytes, *, min_side: int | None = None) -> Decoded:
    """Decode an image to upright RGB, 8 bits a channel.

    CMYK, palette and grey images are converted; alpha is laid over black; 16-bit values are
    scaled from the bit depth they use (10, 12, 14 or 16); EXIF rotation is applied.

    Args:
        source: a file, or its bytes.
        min_side: the shorter side that the caller needs, in pixels; a JPEG is then decoded at the
            coarsest of the scales 1, 1/2, 1/4, 1/8 that keeps it. None decodes at full scale.

    Raises:
        ImageError: the file is no image, too large, truncated or damaged.
    """
    image = open_image(source)
    width, height = image.size
    try:
        if image.getexif().get(_ORIENTATION) in _TRANSPOSED:
            width, height = height, width
        if min_side is not None and image.format == "JPEG":
            factor = min(1.0, min_side / min(image.size))
            image.draft(None, (math.ceil(image.width * factor), math.ceil(image.height * factor)))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            image.load()
        rgb = _to_rgb(ImageOps.exif_transpose(image))
    except _DAMAGE as error:
        raise ImageError(f"{_prefix(source)}truncated or damaged ({error})") from error
    return Decoded(rgb, width, height)


def resize(pixels: Pixels, width: int, height: int) -> Pixels:
    """Resize uint8 [h, w, 3] to [height, width, 3]: area averaging down, bilinear up."""
    import cv2

    if pixels.shape[:2] == (height, width):
        return pixels
    smaller = width * height < pixels.shape[0] * pixels.shape[1]
    method = cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(pixels, (width, height), interpolation=method), np.uint8)


def _prefix(source: Path | bytes) -> str:
    return f"{source.name}: " if isinstance(source, Path) else ""


def _to_rgb(image: Image.Image) -> Pixels:
    if image.mode.startswith("I") or image.mode == "F":
        return _deep_to_rgb(np.asarray(image, np.float64))
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        rgba = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", rgba.size, (0, 0, 0, 255)), rgba)
    return np.array(image.convert("RGB"))


def _deep_to_rgb(grey: npt.NDArray[np.float64]) -> Pixels:
    """Scale a 16-bit, 32-bit or float grey image to 8 bits by the bit depth that its values use.

    Powers of two only, so that the frames of one camera are scaled alike.
    """
    top = float(grey.max(initial=0.0))
    if top <= 1.0:
        scaled = grey * 255.0
    else:
        bits = next((b for b in (8, 10, 12, 14, 16) if top < 2**b), math.ceil(math.log2(top + 1)))
        scaled = grey * (255.0 / (2**bits - 1))
    channel = np.clip(np.rint(scaled), 0, 255).astype(np.uint8)
    return np.repeat(channel[:, :, None], 3, axis=2)
