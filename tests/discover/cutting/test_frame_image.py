from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from classify.images import ImageError, read_image
from discover.cutting.frame_image import FrameImage


@settings(max_examples=60)
@given(
    width=st.integers(8, 90),
    height=st.integers(8, 90),
    sides=st.lists(st.integers(1, 100), min_size=1, max_size=4),
    suffix=st.sampled_from(["jpg", "png"]),
)
def test_a_scale_does_not_depend_on_what_was_asked_before(
    tmp_path_factory: pytest.TempPathFactory, width: int, height: int, sides: list[int], suffix: str
) -> None:
    file = tmp_path_factory.mktemp("frame") / f"a.{suffix}"
    noise = np.random.default_rng(0).integers(0, 255, (height, width, 3), np.uint8)
    Image.fromarray(noise).save(file)
    frame = FrameImage(file)
    for side in sides:
        assert np.array_equal(frame.at(side).pixels, read_image(file, min_side=side).pixels)


def test_one_scale_is_decoded_once(tmp_path: Path) -> None:
    Image.new("RGB", (640, 480)).save(tmp_path / "a.jpg")
    frame = FrameImage(tmp_path / "a.jpg")
    first = frame.at(200)
    assert first.pixels.shape[:2] == (240, 320)
    assert frame.at(240) is first
    assert frame.at(241) is not first


def test_a_torn_file_says_so(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"\xff\xd8\xff")
    with pytest.raises(ImageError):
        FrameImage(tmp_path / "a.jpg").at(100)
    with pytest.raises(OSError, match="No such file"):
        FrameImage(tmp_path / "b.jpg")
