"""Crops like a crop, or like a picture that somebody dropped on the page.

A crop is compared in this process, which takes numpy alone. A picture has to go through the network
that made the vectors, so that `discover similar` does it in a process of its own.
"""

import hashlib
import io
import json
import subprocess
import threading
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from app.crops.selection import Rows
from app.data import ClassRun, Explorer
from app.jobs.process import DISCOVER
from classify.errors import UserError
from classify.runs import write_atomic
from discover.naming.nearness import nearest

MOST = 500  # crops that are found
_MOST_PIXELS = 100_000_000  # more is no picture of the seafloor, and fills the memory
_FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF")
_SECONDS = 300
_WAIT = 5.0  # seconds that a second picture waits for the first: it holds a thread of the server
_ONE = threading.Lock()  # a network at a time: each takes the memory of one


class PictureError(UserError):
    """A picture that cannot be searched by; the message says why."""


def keep_picture(explorer: Explorer, data: bytes) -> str:
    """Keep a picture that was sent to the page, re-encoded, and return its key.

    Nothing of the file but its pixels is kept.

    Raises:
        PictureError: it is no picture that can be read, or too large.
    """
    try:
        with Image.open(io.BytesIO(data), formats=_FORMATS) as image:
            if image.width * image.height > _MOST_PIXELS:
                raise PictureError(
                    f"the picture has {image.width} x {image.height} pixels: cut the thing out of "
                    "it first"
                )
            image.thumbnail((1024, 1024))
            pixels = image.convert("RGB")
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, EOFError,
            Image.DecompressionBombError) as error:  # fmt: skip
        raise PictureError("this is no picture that can be read: drop a JPEG or a PNG") from error
    buffer = io.BytesIO()
    pixels.save(buffer, "PNG")
    key = "p" + hashlib.sha256(buffer.getvalue()).hexdigest()[:16]
    write_atomic(_picture(explorer, key), buffer.getvalue())
    return key


def like(explorer: Explorer, run: ClassRun, key: str) -> Rows:
    """Return the rows of a run's crops that are like a crop or a kept picture, the likest first.

    Args:
        explorer: the survey.
        run: the clustering run.
        key: id of a crop, or what `keep_picture` returned.

    Raises:
        PictureError: there is no such picture, or it cannot be compared.
        SurveyError: there is no such crop.
    """
    table = explorer.crop_table(run)
    if not key.startswith("p"):
        line = nearest(explorer.survey, run.embeddings, [key], among=table.ids)
        rows = table.places([key, *line["crop_id"]])
        return rows[rows >= 0]
    rows = table.places(_found(explorer, run, key))
    return rows[rows >= 0]


def _picture(explorer: Explorer, key: str) -> Path:
    return explorer.survey.cache / "pictures" / f"{key}.png"


def picture(explorer: Explorer, key: str) -> bytes:
    """Return a kept picture as PNG.

    Raises:
        PictureError: there is none of this key.
    """
    if not (key.isalnum() and _picture(explorer, key).is_file()):
        raise PictureError("this picture is not kept any more: drop it again")
    return _picture(explorer, key).read_bytes()


def _found(explorer: Explorer, run: ClassRun, key: str) -> list[str]:
    """Return the crops like a kept picture, from the cache or newly asked for."""
    picture(explorer, key)
    answer = _picture(explorer, key).with_name(f"{key}-{run.embeddings}.json")
    if not answer.is_file():
        if not _ONE.acquire(timeout=_WAIT):
            raise PictureError("another picture is being compared: try again in a minute")
        try:
            found = [row["crop_id"] for row in json.loads(_ask(explorer, run, key))]
        finally:
            _ONE.release()
        write_atomic(answer, json.dumps(found).encode())
    return [str(crop) for crop in json.loads(answer.read_text())]


def _ask(explorer: Explorer, run: ClassRun, key: str) -> str:
    command = [
        *DISCOVER, "similar", str(_picture(explorer, key).resolve()),
        "--survey", str(explorer.survey.root.resolve()), "--embeddings", run.embeddings,
        "--most", str(MOST), "--json",
    ]  # fmt: skip
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, check=True)
    except subprocess.CalledProcessError as error:
        last = (error.stderr.strip().splitlines() or ["no message"])[-1]
        raise PictureError(f"the picture cannot be compared: {last}") from error
    except subprocess.TimeoutExpired as error:
        raise PictureError(f"comparing the picture took more than {_SECONDS} s") from error
    return done.stdout
