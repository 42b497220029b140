"""The pixels of a run's crops, cut once and kept in a file while a network learns from them."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from classify.ahead import over_cores
from classify.images import ImageError
from discover.cutting.crop_rows import Row, by_frame, cut_of_row
from discover.cutting.embedders import EmbedConfig, cut_out
from discover.cutting.frame_image import FrameImage
from discover.survey import Survey, SurveyError

_MIN_SIDE = 512  # pixels, at which frames are decoded at least; finer where a crop is small

Images = npt.NDArray[np.uint8]


def cut_crops(
    survey: Survey,
    crops: pd.DataFrame,
    config: EmbedConfig,
    file: Path,
    progress: Callable[[int, int], None] | None = None,
) -> Images:
    """Cut crops out of their frames, as `discover embed` does.

    Args:
        survey: the survey.
        crops: rows of the crops table, with `path` of the frame.
        config: size, context and background.
        file: where the pixels are kept; it is larger than memory may be.
        progress: called with (frames done, frames in all).

    Returns:
        uint8 RGB [n, size, size, 3] on disk, in the order of `crops`.

    Raises:
        SurveyError: a frame cannot be read.
    """
    side = config.side
    pixels = np.lib.format.open_memmap(file, "w+", np.uint8, (len(crops), side, side, 3))
    rows = crops.assign(place=range(len(crops))).to_dict("records")
    frames = list(by_frame([{str(k): v for k, v in row.items()} for row in rows]).values())

    def cut(of_frame: list[Row]) -> None:
        path = survey.frame_path(str(of_frame[0]["path"]))
        try:
            image = FrameImage(path)
            decoded = image.at(_MIN_SIDE)
        except (ImageError, OSError) as error:
            raise SurveyError(f"the frame {path} of a crop cannot be read: {error}") from error
        cuts = [cut_of_row(row, decoded.width, decoded.height) for row in of_frame]
        for row, crop in zip(of_frame, cut_out(image, cuts, config, _MIN_SIDE), strict=True):
            pixels[row["place"]] = crop.pixels

    for done, _ in enumerate(over_cores(cut, frames), start=1):
        if progress:
            progress(done, len(frames))
    return pixels
