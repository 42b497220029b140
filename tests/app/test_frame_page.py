"""The frame page and the pictures that it shows."""

import io
import json

import numpy as np
import pytest
from flask.testing import FlaskClient
from PIL import Image
from plotly.utils import PlotlyJSONEncoder

from app.data import Explorer
from app.frames import images as frame_images
from app.frames.data import FramesData, frames_data
from app.pages import frame as page
from app.pages.frame_parts import label_of
from classify.runs import start_run
from discover.survey import Survey, concat_rows
from tests.app.bursts_on_disk import add_bursts
from tests.app.survey_on_disk import EMBED_RUN, HEIGHT, RUNS, WIDTH


@pytest.fixture
def data(explorer: Explorer) -> FramesData:
    return frames_data(explorer)


def _frame(data: FramesData, row: int = 20) -> str:
    return str(data.frames().table["frame_id"].iat[row])


def _text(explorer: Explorer, **query: str) -> str:
    return json.dumps(page.layout(explorer, query), cls=PlotlyJSONEncoder)


def _pixels(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data))).astype(int)


def test_frames_stand_in_order_of_dive_and_index(data: FramesData) -> None:
    table = data.frames().table
    assert len(table) == 60
    assert table[["dive", "index"]].apply(tuple, axis=1).is_monotonic_increasing
    around = data.frames().around(15, 3)  # the first of the second dive
    assert around["index"].tolist() == [0, 1, 2, 3]
    assert set(around["dive"]) == {"dive-2"}
    assert data.frames().place("nowhere") is None


def test_a_frame_that_is_added_is_seen(data: FramesData, survey: Survey) -> None:
    assert data.frame("new") is None
    row = {"frame_id": ["new"], "dive": ["dive-9"], "index": [0], "path": ["x.jpg"]}
    names = survey.frames.schema.names
    survey.frames.write("more", concat_rows({n: row.get(n, [None]) for n in names}, "frames"))
    assert (data.frame("new") or {})["dive"] == "dive-9"


def test_the_crops_of_each_frame_are_those_of_the_table(
    data: FramesData, explorer: Explorer
) -> None:
    boxes = explorer.boxes(EMBED_RUN)
    for row in (0, 20, 59):
        frame = _frame(data, row)
        found = data.crops(EMBED_RUN, frame)
        assert set(found["crop_id"]) == set(boxes.index[boxes["frame_id"] == frame])
        drawn = data.masks_and_heats(EMBED_RUN, frame)
        stored = [explorer.mask_and_heat(EMBED_RUN, r["crop_id"]) for r in drawn]
        assert [r["mask"] for r in drawn] == [s["mask"] for s in stored]
    assert data.crops(EMBED_RUN, "nowhere").empty
    assert data.masks_and_heats(EMBED_RUN, "nowhere") == []


def test_the_page_names_what_is_there(data: FramesData, explorer: Explorer) -> None:
    frame = _frame(data)
    row, crops = data.frame(frame), data.crops(EMBED_RUN, frame)
    assert row is not None
    text = _text(explorer, frame=frame)
    for crop in crops["crop_id"]:
        assert text.count(f'"data-crop": "{crop}"') == 2  # its box and its row
    assert row["path"] in text
    assert f"{row['depth_m']:,.1f} m" in text
    assert text.count("?size=240") == 12  # frame 5 of fifteen: five before, six after
    assert f"run={RUNS['waste']}" in text
    assert "no bursts yet" in text


def test_a_crop_leads_to_its_frame_where_it_is_marked(data: FramesData, explorer: Explorer) -> None:
    frame = _frame(data)
    crop = str(data.crops(EMBED_RUN, frame)["crop_id"].iloc[0])
    text = _text(explorer, crop=crop)
    assert f'"frame": "{frame}"' in text
    assert '"className": "frame-crop chosen"' in text


@pytest.mark.parametrize("query", [{}, {"frame": "nowhere"}, {"crop": "nowhere"}])
def test_what_is_no_frame_is_said_so(explorer: Explorer, query: dict[str, str]) -> None:
    assert "There is no such frame" in _text(explorer, **query)


def test_the_burst_that_it_is_in_is_linked(survey: Survey, explorer: Explorer) -> None:
    add_bursts(survey)
    data = frames_data(explorer)
    text = _text(explorer, frame=_frame(data))
    assert "in a burst of 3 frames" in text
    assert "/bursts?dive=dive-2&burst=" in text


def test_predictions_are_told(data: FramesData, explorer: Explorer, survey: Survey) -> None:
    frame = _frame(data)
    assert "The classifier" not in _text(explorer, frame=frame)
    run = start_run(survey.run_folder("predictions", "p"), command="predict", config={})
    row = {
        "frame_id": [frame], "task": ["floor"], "class": ["reef"], "probability": [0.625],
        "sure": [False],
    }  # fmt: skip
    survey.table("predictions", "p").write("a", concat_rows(row, "predictions"))
    run.complete(counts={})
    text = _text(explorer, frame=frame)
    assert all(word in text for word in ("reef", "0.62", "not sure"))


def test_labels_follow_the_names(data: FramesData, explorer: Explorer) -> None:
    crop = str(data.crops(EMBED_RUN, _frame(data))["crop_id"].iloc[0])
    names = explorer.names().set_index("crop_id")
    assert "unnamed" in json.dumps(label_of(names, crop), cls=PlotlyJSONEncoder)
    explorer.labels.name([crop], "<b>can</b>", annotator="mara")
    names = explorer.names().set_index("crop_id")
    assert "<b>can</b>" in json.dumps(label_of(names, crop), cls=PlotlyJSONEncoder)


@pytest.mark.parametrize(("asked", "longer"), [(100, 160), (200, 240), (320, 320), (5000, WIDTH)])
def test_a_frame_comes_in_a_few_sizes_and_never_enlarged(
    data: FramesData, client: FlaskClient, asked: int, longer: int
) -> None:
    answer = client.get(f"/frame-image/{_frame(data)}?size={asked}")
    assert answer.mimetype == "image/jpeg"
    assert max(_pixels(answer.data).shape) == longer
    again = client.get(answer.request.url, headers={"If-None-Match": answer.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")


def test_a_frame_that_cannot_be_read_is_said_so_and_comes_back(
    data: FramesData, client: FlaskClient, survey: Survey
) -> None:
    frame = _frame(data)
    path = survey.frame_path(str((data.frame(frame) or {})["path"]))
    whole = path.read_bytes()
    path.unlink()
    answer = client.get(f"/frame-image/{frame}")
    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store")
    path.write_bytes(whole)
    assert client.get(f"/frame-image/{frame}").headers["ETag"]


def test_masks_are_outlines_in_pixels_of_the_frame(data: FramesData, client: FlaskClient) -> None:
    frame = _frame(data)
    answer = client.get(f"/frame-masks/{EMBED_RUN}/{frame}")
    assert answer.mimetype == "image/svg+xml"
    text = answer.get_data(as_text=True)
    assert f'viewBox="0 0 {WIDTH} {HEIGHT}"' in text
    assert text.count("<path") == len(data.crops(EMBED_RUN, frame))


def test_a_crop_without_a_mask_is_its_box(data: FramesData, explorer: Explorer) -> None:
    rows = explorer.survey.table("crops", EMBED_RUN).read().to_pandas()
    bare = rows[rows["mask"].isna()].iloc[0]
    svg = frame_images.masks(explorer, EMBED_RUN, bare["frame_id"]).data.decode()
    assert f"M{bare['x']} {bare['y']}h{bare['w']}v{bare['h']}" in svg


def test_the_heat_map_is_bright_on_its_object_and_clear_elsewhere(
    data: FramesData, client: FlaskClient
) -> None:
    frame = _frame(data)
    rows = [r for r in data.masks_and_heats(EMBED_RUN, frame) if r["heat"] is not None]
    row = max(rows, key=lambda r: r["w"] * r["h"])
    layer = _pixels(client.get(f"/frame-heat/{EMBED_RUN}/{frame}?class={row['class']}").data)
    scale = layer.shape[1] / WIDTH
    middle = layer[
        round((row["y"] + row["h"] / 2) * scale), round((row["x"] + row["w"] / 2) * scale)
    ]
    assert middle[3] > 200
    assert layer[-1, -1, 3] < 60
    missing = client.get(f"/frame-heat/{EMBED_RUN}/{frame}?class=reef")
    assert missing.status_code == 404


@pytest.mark.parametrize(
    "address",
    [
        "/frame-image/nowhere",
        "/frame-image/..%2f..%2flabels.sqlite",
        "/frame-image/%2e%2e/%2e%2e/etc/passwd",
        "/frame-masks/nowhere/{frame}",
        "/frame-masks/..%2f..%2fx/{frame}",
        f"/frame-masks/{EMBED_RUN}/nowhere",
        "/frame-heat/nowhere/{frame}?class=waste",
    ],
)
def test_what_is_no_picture_is_not_found(
    data: FramesData, client: FlaskClient, address: str
) -> None:
    assert client.get(address.format(frame=_frame(data))).status_code == 404
