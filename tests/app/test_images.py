import io

import numpy as np
import pytest
from flask.testing import FlaskClient
from PIL import Image

from app import images
from app.data import Explorer
from discover.survey import Survey
from tests.app.survey_on_disk import EMBED_RUN, RUNS


def _crop(explorer: Explorer) -> str:
    run = explorer.class_run(RUNS["waste"])
    assert run is not None
    return str(explorer.crops(run)["crop_id"].iloc[7])


def _pixels(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB")).astype(int)


@pytest.mark.parametrize("kind", images.KINDS)
def test_each_kind_is_a_picture_and_is_kept(explorer: Explorer, kind: str) -> None:
    crop = _crop(explorer)
    made = images.thumbnail(explorer, crop, kind=kind, size=160)
    assert max(_pixels(made.data).shape) == 160
    assert not made.placeholder
    assert images.thumbnail(explorer, crop, kind=kind, size=150, run=EMBED_RUN) == made
    assert len(list((explorer.survey.cache / "thumbnails").rglob("*.jpg"))) == 1


def test_the_object_is_in_the_middle_and_the_mask_darkens_the_rest(explorer: Explorer) -> None:
    boxes = explorer.boxes(EMBED_RUN)
    row = boxes[(boxes["x"] > 60) & (boxes["x"] < 200) & (boxes["y"] > 40) & (boxes["y"] < 90)]
    crop = str(row.index[0])
    plain, masked = (
        _pixels(images.thumbnail(explorer, crop, kind=k, size=160).data) for k in ("crop", "mask")
    )
    assert abs(plain[80, 80] - masked[80, 80]).max() < 25
    assert masked[3, 3].mean() < 0.6 * plain[3, 3].mean()


def test_without_heat_map_or_mask_there_is_still_a_picture(explorer: Explorer) -> None:
    rows = explorer.survey.table("crops", EMBED_RUN).read().to_pandas()
    no_heat = rows.loc[rows["heat"].isna(), "crop_id"].item()
    no_mask = rows.loc[rows["mask"].isna(), "crop_id"].item()
    assert not images.thumbnail(explorer, no_heat, kind="heat").placeholder
    assert not images.thumbnail(explorer, no_mask, kind="mask").placeholder


@pytest.mark.parametrize(
    "address",
    [
        "/image/0000000000000000",
        "/image/..%2f..%2flabels.sqlite",
        "/image/%2e%2e/%2e%2e/etc/passwd",
        "/image/{crop}?run=..%2f..",
        "/image/{crop}?run=nowhere",
        "/image/{crop}?kind=../../x",
    ],
)
def test_what_is_no_crop_is_not_found(
    client: FlaskClient, explorer: Explorer, address: str
) -> None:
    assert client.get(address.format(crop=_crop(explorer))).status_code == 404


def test_a_picture_is_cached_by_the_browser(client: FlaskClient, explorer: Explorer) -> None:
    first = client.get(f"/image/{_crop(explorer)}?kind=crop&size=160")
    assert first.mimetype == "image/jpeg"
    assert "max-age" in first.headers["Cache-Control"]
    again = client.get(first.request.url, headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")


@pytest.mark.parametrize("damage", ["missing", "unreadable"])
def test_a_frame_that_cannot_be_read_is_said_so(
    client: FlaskClient, survey: Survey, explorer: Explorer, damage: str
) -> None:
    crop = _crop(explorer)
    path = survey.frame_path(explorer.boxes(EMBED_RUN).loc[crop, "path"])
    data = path.read_bytes()
    path.unlink() if damage == "missing" else path.write_bytes(data[: len(data) // 2])
    for kind in images.KINDS:
        answer = client.get(f"/image/{crop}?kind={kind}")
        assert answer.status_code == 200
        assert answer.headers["Cache-Control"] == "no-store"
        assert damage in images.thumbnail(explorer, crop, kind=kind).etag
    path.write_bytes(data)
    assert not images.thumbnail(explorer, crop).placeholder
