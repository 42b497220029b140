"""A small survey with a trained classifier, made once for the tests of `discover`."""

import json
from pathlib import Path

import pandas as pd
import pytest
from pycocotools import mask as coco

from classify.settings import TrainConfig
from classify.train import train
from discover import frames
from discover.survey import Survey, open_survey
from tests.discover.databases import postgresql, url  # noqa: F401 - fixtures


@pytest.fixture(scope="session")
def truth(footage: Path) -> pd.DataFrame:
    return pd.read_parquet(footage / "truth.parquet")


@pytest.fixture(scope="session")
def model(footage: Path, truth: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Path:
    rows = truth.drop_duplicates("path").dropna(subset=["element"])
    labels = footage / "labels.csv"
    pd.DataFrame({"image": rows["path"], "label": rows["element"], "dive": rows["dive"]}).to_csv(
        labels, index=False
    )
    out = tmp_path_factory.mktemp("runs") / "elements"
    train(labels, out, config=TrainConfig(split="random"), height=96, width=160)
    return out


@pytest.fixture(scope="session")
def boxes(footage: Path, truth: pd.DataFrame) -> Path:
    """The truth as COCO: each object by turns as compressed RLE, uncompressed RLE, polygon, box."""
    objects = truth.dropna(subset=["object_id"]).reset_index(drop=True)
    paths = list(objects["path"].unique())
    classes = sorted(objects["class"].unique())
    annotations = []
    for number, row in enumerate(objects.to_dict("records")):
        x, y, w, h = (int(row[name]) for name in "xywh")
        shapes = (
            {"size": [180, 320], "counts": row["mask"]},
            {"size": [180, 320], "counts": _runs(row["mask"])},
            [[x, y, x + w, y, x + w, y + h, x, y + h]],
            None,
        )
        annotation = {
            "id": number,
            "image_id": paths.index(row["path"]),
            "category_id": classes.index(row["class"]),
            "bbox": [x, y, w, h],
        }
        if (shape := shapes[number % 4]) is not None:
            annotation["segmentation"] = shape
        annotations.append(annotation)
    images = [
        {"id": i, "file_name": path, "width": 320, "height": 180} for i, path in enumerate(paths)
    ]
    categories = [{"id": i, "name": name} for i, name in enumerate(classes)]
    file = footage / "boxes.json"
    data = {"images": images, "annotations": annotations, "categories": categories}
    file.write_text(json.dumps(data))
    return file


def _runs(counts: str) -> list[int]:
    flat = coco.decode({"size": [180, 320], "counts": counts.encode()}).ravel(order="F").tolist()
    runs, value = [0], 0
    for pixel in flat:
        if pixel != value:
            runs.append(0)
            value = pixel
        runs[-1] += 1
    return runs


@pytest.fixture
def survey(footage: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Survey:
    """A survey of 72 frames in shards of 16."""
    monkeypatch.setattr(frames, "CHUNK", 16)
    opened = open_survey(tmp_path / "survey", create=True)
    frames.add_frames(opened, [footage])
    return opened
