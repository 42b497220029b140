import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from discover.crops import decode_mask
from discover.cutting.regions import BoxRegions, ClassifierRegions, WholeFrame
from discover.embed import EmbedConfig, embed
from discover.frames import add_frames
from discover.survey import Survey, SurveyError, open_survey
from discover.tables import column_to_vectors

SMALL = EmbedConfig(size=64)


def _vectors(survey: Survey, run: str) -> dict[str, bytes]:
    rows = survey.table("embeddings", run).read()
    return dict(zip(rows["crop_id"].to_pylist(), rows["vector"].to_pylist(), strict=True))


def test_regions_of_the_classifier_are_crops_within_their_frames(
    survey: Survey, model: Path
) -> None:
    run = embed(survey, ClassifierRegions(model), config=SMALL)
    crops = survey.sql(
        "select crops.*, width, height from crops join frames using (frame_id)",
        crops=survey.crops_of(run),
    )
    assert len(crops) == run.info["counts"]["crops"] > 0
    assert len(crops) + run.info["counts"]["covered"] >= 72  # one a frame at least
    assert crops["crop_id"].is_unique
    assert ((crops["x"] >= 0) & (crops["x"] + crops["w"] <= crops["width"])).all()
    assert ((crops["y"] >= 0) & (crops["y"] + crops["h"] <= crops["height"])).all()
    for row in crops.head(20).to_dict("records"):
        mask = decode_mask(row["mask"], row["width"], row["height"])
        rows, cols = np.nonzero(mask)
        box = (cols.min(), rows.min(), np.ptp(cols) + 1, np.ptp(rows) + 1)
        assert box == (row["x"], row["y"], row["w"], row["h"])
        assert len(row["heat"]) == row["heat_rows"] * row["heat_cols"]
    for unit in survey.frames.units():
        of_unit = [
            table.read(["crop_id"], units=[unit])["crop_id"].to_pylist()
            for table in (survey.crops_of(run), survey.table("embeddings", run.name))
        ]
        assert of_unit[0] == of_unit[1]
    vectors = column_to_vectors(survey.table("embeddings", run.name).read())
    assert vectors.shape == (len(crops), 1280)
    assert np.isfinite(vectors).all()


def test_the_same_call_again_adds_nothing_and_new_frames_extend_the_run(
    survey: Survey, tmp_path: Path
) -> None:
    first = embed(survey, WholeFrame(), config=SMALL)
    before = _vectors(survey, first.name)
    assert _vectors(survey, embed(survey, WholeFrame(), config=SMALL).name) == before
    extra = tmp_path / "later" / "dive9"
    extra.mkdir(parents=True)
    Image.new("RGB", (64, 48), (9, 99, 99)).save(extra / "a.png")
    add_frames(survey, [extra])
    again = embed(survey, WholeFrame(), config=SMALL)
    after = _vectors(survey, again.name)
    assert again.name == first.name
    assert len(after) == len(before) + 1
    assert after.items() >= before.items()
    assert embed(survey, WholeFrame(), config=EmbedConfig(size=96)).name != first.name


def test_boxes_masks_and_polygons_of_a_coco_file(survey: Survey, boxes: Path) -> None:
    data = json.loads(boxes.read_text())
    source = BoxRegions(boxes)
    assert source.matched(survey.frames.read(["path"])["path"].to_pylist()) == len(data["images"])
    run = embed(survey, source, config=SMALL)
    crops = survey.crops_of(run).read().to_pandas()
    assert len(crops) == len(data["annotations"])
    wanted = sorted(tuple(a["bbox"]) for a in data["annotations"])
    assert sorted(zip(crops["x"], crops["y"], crops["w"], crops["h"], strict=True)) == wanted
    assert crops["mask"].isna().sum() == sum("segmentation" not in a for a in data["annotations"])
    assert set(crops["class"]) == {c["name"] for c in data["categories"]}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.pop("categories"), "'categories' is missing"),
        (lambda d: d["annotations"][0].update(category_id=99), "unknown category 99"),
        (lambda d: [i.update(width=999) for i in d["images"]], "320 x 180 pixels, but the file"),
    ],
)
def test_a_wrong_coco_file_is_refused(
    survey: Survey, boxes: Path, tmp_path: Path, change: object, message: str
) -> None:
    data = json.loads(boxes.read_text())
    change(data)  # type: ignore[operator]
    (tmp_path / "wrong.json").write_text(json.dumps(data))
    with pytest.raises(SurveyError, match=message):
        embed(survey, BoxRegions(tmp_path / "wrong.json"), config=SMALL)


_RUN = """
import sys
import torch
torch.set_num_threads(2)
from discover.embed import EmbedConfig, embed
from discover.cutting.regions import WholeFrame
from discover.survey import open_survey
embed(open_survey(sys.argv[1]), WholeFrame(), config=EmbedConfig(size=64))
"""


def test_a_killed_run_goes_on_to_the_same_result(survey: Survey, tmp_path: Path) -> None:
    whole = open_survey(tmp_path / "whole", create=True)
    shutil.copytree(survey.root / "frames", whole.root / "frames")
    expected = _vectors(whole, embed(whole, WholeFrame(), config=SMALL).name)
    process = subprocess.Popen([sys.executable, "-c", _RUN, str(survey.root)])
    deadline = time.monotonic() + 120
    while process.poll() is None and time.monotonic() < deadline:
        if any(survey.root.glob("embeddings/*/*.parquet")):
            os.kill(process.pid, signal.SIGKILL)
            break
        time.sleep(0.002)
    assert process.wait() == -signal.SIGKILL, "it ended before it could be killed"
    (started,) = survey.runs("embeddings")
    assert not started.is_complete
    done = survey.table("embeddings", started.name).units()
    assert 0 < len(done) < len(survey.frames.units())
    # as a kill between the two writes of a unit leaves it
    orphan = next(u for u in survey.frames.units() if u not in done)
    shutil.copy(
        whole.crops_of(started).folder / f"{orphan}.parquet",
        survey.crops_of(started).folder / f"{orphan}.parquet",
    )
    run = embed(survey, WholeFrame(), config=SMALL)
    assert run.name == started.name
    assert run.is_complete
    assert _vectors(survey, run.name) == expected
    crops = survey.crops_of(run).read(["crop_id"])["crop_id"].to_pylist()
    assert sorted(crops) == sorted(expected)


@pytest.mark.parametrize("table", ["crops", "embeddings"])
def test_a_damaged_shard_is_made_again(survey: Survey, table: str) -> None:
    run = embed(survey, WholeFrame(), config=SMALL)
    before = _vectors(survey, run.name)
    folder = survey.crops_of(run) if table == "crops" else survey.table(table, run.name)
    victim = folder.files()[1]
    victim.write_bytes(victim.read_bytes()[:-40])
    embed(survey, WholeFrame(), config=SMALL)
    assert _vectors(survey, run.name) == before
    assert victim.with_suffix(".damaged").exists()


def test_lost_files_are_counted_and_a_lost_folder_stops_the_run(
    footage: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(footage, copy)
    survey = open_survey(tmp_path / "s", create=True)
    add_frames(survey, [copy])
    sorted(copy.rglob("*.jpg"))[0].unlink()
    run = embed(survey, WholeFrame(), config=SMALL)
    assert run.info["counts"] == {"frames": 72, "crops": 71, "unreadable": 1, "covered": 0}
    shutil.rmtree(copy)
    with pytest.raises(SurveyError, match="71 of 71 frames cannot be read"):
        embed(survey, WholeFrame(), config=EmbedConfig(size=96))


def test_a_small_region_of_a_large_frame_is_cut_at_full_resolution(tmp_path: Path) -> None:
    pixels = np.full((1600, 2400, 3), 80, np.uint8)
    pixels[800:840:2, 1200:1240] = 255  # lines that vanish at reduced scale
    (tmp_path / "d").mkdir()
    Image.fromarray(pixels).save(tmp_path / "d" / "a.jpg", quality=95)
    box = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [1200, 800, 40, 40]}
    image = {"id": 1, "file_name": "a.jpg", "width": 2400, "height": 1600}
    coco = {"images": [image], "annotations": [box], "categories": [{"id": 1, "name": "waste"}]}
    (tmp_path / "b.json").write_text(json.dumps(coco))
    results = []
    for name, side in (("reduced", 200), ("full", 1600)):
        survey = open_survey(tmp_path / name, create=True)
        add_frames(survey, [tmp_path / "d"])
        run = embed(survey, BoxRegions(tmp_path / "b.json", min_side=side), config=SMALL)
        results.append(column_to_vectors(survey.table("embeddings", run.name).read())[0])
    assert np.allclose(*results, rtol=1e-2, atol=1e-2)


def test_a_survey_without_frames_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(SurveyError, match="discover add"):
        embed(open_survey(tmp_path, create=True), WholeFrame())
