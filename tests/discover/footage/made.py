"""Files that the tests of `discover add` make: images, videos whose frames carry their number."""

import io
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from classify.images import Pixels
from discover.survey import Survey, open_survey


def picture(seed: int, width: int = 32, height: int = 24) -> Image.Image:
    rng = np.random.default_rng(seed)
    return Image.fromarray(rng.integers(0, 255, (height, width, 3), np.uint8))


def save(path: Path, seed: int, **options: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    picture(seed).save(path, **options)
    return path


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def new_survey(tmp_path: Path, name: str = "survey") -> Survey:
    return open_survey(tmp_path / name, create=True)


def rows_of(survey: Survey) -> pd.DataFrame:
    table = survey.frames.read().to_pandas()
    return table.sort_values(["dive", "index"]).reset_index(drop=True)


def ids_of(survey: Survey) -> dict[str, tuple[str, int]]:
    return {r.path: (r.frame_id, r.index) for r in rows_of(survey).itertuples(index=False)}


WIDTH, HEIGHT = 192, 112
_BITS, _CELL = 12, 16


def stamped(number: int, *, width: int = WIDTH, height: int = HEIGHT) -> Pixels:
    """Return a picture that carries `number` as twelve black or white cells along its top.

    Below them a texture moves by two pixels a frame.
    """
    texture = _TEXTURE[:height, 2 * number % 400 :][:, :width]
    pixels = np.repeat(texture[:, :, None], 3, axis=2)
    bits = (number >> np.arange(_BITS)) & 1
    pixels[:_CELL, : _BITS * _CELL] = np.repeat(bits * 255, _CELL)[None, :, None]
    return pixels


def stamp_of(pixels: Pixels) -> int:
    """Return the number that a picture carries, however it was compressed."""
    middle = pixels[4 : _CELL - 4, : _BITS * _CELL].mean(axis=(0, 2)).reshape(_BITS, _CELL)
    return int((middle[:, 4:-4].mean(axis=1) > 128) @ (1 << np.arange(_BITS)))


def _texture() -> Pixels:
    rng = np.random.default_rng(0)
    coarse = Image.fromarray(rng.integers(40, 220, (60, 400), np.uint8))
    return np.asarray(coarse.resize((800, 120), Image.Resampling.BICUBIC))


_TEXTURE = _texture()


def write_video(
    path: Path,
    frames: int = 60,
    *,
    codec: str = "libx264",
    stamps: Sequence[int] | None = None,
    time_base: Fraction = Fraction(1, 25),
    picture_of: Callable[[int], Pixels] = stamped,
    metadata: dict[str, str] | None = None,
    **options: str,
) -> Path:
    """Encode a video with B-frames and a key frame every 20 frames.

    Args:
        path: its suffix says which container.
        frames: how many.
        codec: encoder.
        stamps: time stamps of the frames in `time_base`; None: 0, 1, 2, ...
        time_base: seconds a unit.
        picture_of: makes the picture of a number.
        metadata: of the container.
        options: of the encoder.
    """
    import av

    given = {
        "libx264": {"preset": "veryfast", "bf": "3", "g": "20"},
        "libx265": {
            "preset": "ultrafast",
            "x265-params": "bframes=3:keyint=20:pools=1:frame-threads=1:log-level=none",
        },
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        container.metadata.update(metadata or {})
        stream = container.add_stream(
            codec, rate=25, options=given.get(codec, {"g": "20"}) | options
        )
        stream.height, stream.width = picture_of(0).shape[:2]
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        stream.codec_context.time_base = time_base
        stream.codec_context.thread_count = 1
        for number in range(frames):
            frame = av.VideoFrame.from_ndarray(picture_of(number)).reformat(format=stream.pix_fmt)
            frame.pts = number if stamps is None else stamps[number]
            frame.time_base = time_base
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def damaged(path: Path, target: Path, *, at: float = 0.5, size: int = 3000) -> Path:
    """Copy a file with `size` bytes overwritten, from the share `at` of it on."""
    data = bytearray(path.read_bytes())
    start = int(len(data) * at)
    data[start : start + size] = np.random.default_rng(1).bytes(size)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(data)
    return target


def stamps_in(survey: Survey, rows: pd.DataFrame) -> list[int]:
    """Return the numbers that the pictures of rows carry."""
    return [stamp_of(np.asarray(Image.open(survey.frame_path(p)))) for p in rows["path"]]
