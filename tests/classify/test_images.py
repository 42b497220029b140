import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from classify import images
from classify.images import ImageError, read_image


def _gradient(width: int = 64, height: int = 48) -> np.ndarray:
    y, x = np.mgrid[:height, :width]
    return np.stack([x * 255 // width, y * 255 // height, np.full_like(x, 90)], 2).astype(np.uint8)


def _bytes(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "BMP", "WEBP", "JPEG"])
def test_colour_formats_are_read_alike(kind: str) -> None:
    options = {"lossless": True} if kind == "WEBP" else {"quality": 100, "subsampling": 0}
    decoded = read_image(_bytes(Image.fromarray(_gradient()), kind, **options))
    assert decoded.pixels.dtype == np.uint8
    assert np.abs(decoded.pixels.astype(int) - _gradient()).max() <= (4 if kind == "JPEG" else 0)


def test_cmyk_becomes_the_same_colour() -> None:
    data = _bytes(Image.new("RGB", (32, 32), (200, 40, 60)).convert("CMYK"), "JPEG", quality=95)
    assert np.abs(read_image(data).pixels[16, 16].astype(int) - (200, 40, 60)).max() < 12


def test_grey_and_palette_become_rgb() -> None:
    for mode in ("L", "P", "1", "LA"):
        decoded = read_image(_bytes(Image.new("RGB", (9, 7), (255, 255, 255)).convert(mode), "PNG"))
        assert decoded.pixels.shape == (7, 9, 3)
        assert (decoded.pixels == 255).all()


def test_alpha_is_laid_over_black() -> None:
    image = Image.new("RGBA", (8, 8), (255, 0, 0, 0))
    image.paste((0, 200, 0, 255), (0, 0, 4, 8))
    pixels = read_image(_bytes(image, "PNG")).pixels
    assert pixels[0, 0].tolist() == [0, 200, 0]
    assert pixels[0, 7].tolist() == [0, 0, 0]


@pytest.mark.parametrize("bits", [10, 12, 14, 16])
def test_deep_grey_uses_its_bit_depth(bits: int) -> None:
    ramp = np.linspace(0, 2**bits - 1, 64 * 32).reshape(32, 64).astype(np.uint16)
    pixels = read_image(_bytes(Image.fromarray(ramp), "PNG")).pixels
    assert pixels.min() == 0
    assert pixels.max() == 255
    assert (np.diff(pixels[:, :, 0].astype(int).ravel()) >= 0).all()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_rotation_is_applied(orientation: int, tmp_path: Path) -> None:
    upright = Image.fromarray(_gradient())
    undo = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # Image.Transpose that undoes the tag
    stored = upright if orientation == 1 else upright.transpose(Image.Transpose(undo[orientation]))
    exif = Image.Exif()
    exif[0x0112] = orientation
    decoded = read_image(_bytes(stored, "PNG", exif=exif))
    assert (decoded.width, decoded.height) == (64, 48)
    assert np.array_equal(decoded.pixels, _gradient())


@pytest.mark.parametrize(
    ("min_side", "scale"), [(None, 1), (480, 1), (240, 0.5), (100, 0.25), (1, 0.125)]
)
def test_jpeg_is_decoded_at_the_coarsest_scale_that_suffices(min_side: int, scale: float) -> None:
    data = _bytes(Image.fromarray(_gradient(640, 480)), "JPEG")
    decoded = read_image(data, min_side=min_side)
    assert (decoded.width, decoded.height) == (640, 480)
    assert decoded.scale == scale
    assert min_side is None or min(decoded.pixels.shape[:2]) >= min_side


def test_rotated_jpeg_at_reduced_scale_keeps_its_upright_size() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    data = _bytes(Image.fromarray(_gradient(640, 480)), "JPEG", exif=exif)
    decoded = read_image(data, min_side=120)
    assert (decoded.width, decoded.height, decoded.scale) == (480, 640, 0.25)
    assert decoded.pixels.shape == (160, 120, 3)


def test_truncated_files_are_refused() -> None:
    for kind in ("JPEG", "PNG", "WEBP", "TIFF"):
        noise = np.random.default_rng(0).integers(0, 255, (200, 200, 3), np.uint8)
        data = _bytes(Image.fromarray(noise), kind)
        with pytest.raises(ImageError, match=r"truncated|not an image"):
            read_image(data[: len(data) // 2])


def test_empty_and_foreign_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="empty"):
        read_image(b"")
    path = tmp_path / "notes.jpg"
    path.write_text("not a picture")
    with pytest.raises(ImageError, match=r"notes\.jpg: not an image"):
        read_image(path)
    with pytest.raises(ImageError, match=r"gone\.jpg: No such file"):
        read_image(tmp_path / "gone.jpg")


def test_decompression_bomb_is_refused_before_decoding(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "MAX_PIXELS", 1000)
    with pytest.raises(ImageError, match="64 x 48 is more than"):
        read_image(_bytes(Image.fromarray(_gradient()), "PNG"))


def test_profile_and_odd_metadata_do_no_harm() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    data = _bytes(Image.fromarray(_gradient()), "JPEG", icc_profile=profile, exif=b"Exif\0\0broken")
    assert read_image(data).width == 64
