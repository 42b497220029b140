"""What is written is read by the tools that the field uses, and says what is missing."""

import csv
import io
import json
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
import yaml
from PIL import Image
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO

from classify.errors import UserError
from discover.cli import app
from discover.export import FORMATS
from discover.export.coralnet import short_codes
from discover.export.folders import _folder
from discover.export.records import Records, read_records
from discover.export.shapes import box_of, inner_point, outline
from discover.naming.label_import import _Crops
from discover.naming.tree_files import read_tree
from discover.survey import Survey, SurveyError, concat_rows
from tests.app.survey_on_disk import EMBED_RUN
from tests.discover.tables_by_hand import add_run

_FAR_PARTS = (  # boxes x, y, w, h of the parts of a mask
    [(10, 10, 30, 20), (250, 120, 20, 30)],
    [(5, 60, 12, 12), (300, 5, 2, 2), (150, 170, 1, 1), (200, 100, 9, 3)],
    [(40, 100, 2, 2)],
)


def _write(records: Records, name: str, folder: Path) -> tuple[Path, list[str]]:
    out = folder / f"{name}{FORMATS[name].ending}"
    return out, FORMATS[name].write(records, out)


def test_a_record_holds_all_that_a_cluster_export_should(records: Records) -> None:
    table = records.table.set_index("crop_id")
    row = table[table["label"] == "Asterias cf. rubens"].iloc[0]
    assert row["path"] == "Asteroidea > Asterias cf. rubens"
    assert (row["qualifier"], row["status"], row["annotator"]) == ("cf.", "human", "jon")
    assert json.loads(row["codes"]) == {"AphiaID": "123776"}
    assert row["cluster_run"] == "fauna-33334444"
    assert row["noise"] == (row["cluster"] == "-1")
    assert len(row["sha256"]) == 64
    assert row["time_utc"].isoformat().startswith("2024-05-01T10:")
    assert (row["image_width"], row["image_height"]) == (320, 180)
    machine = table[table["status"] == "machine"]
    assert set(machine["confidence"]) == {0.4}
    people = read_records(records.survey, people=True).table
    assert set(people["status"]) == {"human"}
    assert set(read_records(records.survey, class_name="waste").table["class"]) == {"waste"}


def test_a_survey_without_labels_says_how_to_give_some(empty: Survey) -> None:
    with pytest.raises(SurveyError, match=r"no crop in .* has a label: name some with"):
        read_records(empty)


def test_pycocotools_reads_the_same_boxes_and_masks(records: Records, tmp_path: Path) -> None:
    out, notes = _write(records, "coco", tmp_path)
    assert notes == ["2 crops that are rejected or indeterminate are left out"]
    read = COCO(str(out))
    rows = {row["crop_id"]: row for row in records.rows()}
    assert len(read.anns) == len(rows)
    for annotation in read.anns.values():
        row = rows[annotation["attributes"]["crop_id"]]
        assert annotation["bbox"] == [row[name] for name in "xywh"]
        mask = read.annToMask(annotation)
        assert mask.shape == (180, 320)
        expected = np.zeros_like(mask)
        if row["mask"]:
            size = [180, 320]
            expected = coco_mask.decode({"size": size, "counts": row["mask"].encode()})
        else:
            x, y, w, h = annotation["bbox"]
            expected[y : y + h, x : x + w] = 1
        assert (mask == expected).all()
        assert annotation["area"] == mask.sum()
    names = {c["name"]: c for c in read.cats.values()}
    assert names["Asterias rubens"]["codes"] == {"AphiaID": "123776"}
    assert names["Asterias rubens"]["supercategory"] == "fauna"


def test_the_ifdo_package_reads_it_and_what_is_missing_is_said(
    records: Records, tmp_path: Path
) -> None:
    ifdo = pytest.importorskip("ifdo", reason="ifdo is not installed")
    out, notes = _write(records, "ifdo", tmp_path)
    assert "incomplete until you add image-set-handle" in notes[1]
    read = ifdo.iFDO.from_dict(json.loads(out.read_text()))
    assert read.image_set_header.image_set_name == "Reef 7"
    assert len(read.image_set_items) == records.named()["image"].nunique()
    rows = records.rows()
    assert sum(len(i.image_annotations) for i in read.image_set_items.values()) == len(rows)
    item = read.image_set_items[rows[0]["image"]]
    assert item.image_hash_sha256 == rows[0]["sha256"]
    assert item.image_datetime.replace(tzinfo=None) == rows[0]["time_utc"].replace(tzinfo=None)
    assert item.image_altitude_meters == -rows[0]["depth_m"]
    for annotation in item.image_annotations:
        (ring,) = annotation.coordinates
        closed = ring[:2] == ring[-2:]
        assert (annotation.shape, closed) in (("polygon", True), ("rectangle", False))
        assert annotation.shape == "polygon" or len(ring) == 8


def test_a_dwca_reader_reads_one_occurrence_a_scene(records: Records, tmp_path: Path) -> None:
    dwca = pytest.importorskip("dwca.read", reason="python-dwca-reader is not installed")
    survey = records.survey
    frames = survey.frames.read(["frame_id"])["frame_id"].to_pylist()
    add_run(
        survey, "bursts", frame_id=frames, burst_id=[f"b{n // 2}" for n in range(len(frames))],
        keyframe=[n % 2 == 0 for n in range(len(frames))],
    )  # fmt: skip
    records = read_records(survey)
    out, notes = _write(records, "darwin-core", tmp_path)
    table = records.named()
    fauna = table[table["class"] == "fauna"]
    kept = fauna[fauna["keyframe"].astype(bool)]
    assert f"{len(fauna) - len(kept)} crops of frames that repeat a scene are left out" in notes
    assert any("have no AphiaID" in note for note in notes)
    with dwca.DwCAReader(str(out)) as archive:
        assert archive.core_file_location == "occurrence.txt"
        rows = [row.data for row in archive]
    term = "http://rs.tdwg.org/dwc/terms/"
    assert {json.loads(r[term + "dynamicProperties"])["crop_id"] for r in rows} == set(
        kept["crop_id"]
    )
    lsid = "urn:lsid:marinespecies.org:taxname:123776"
    for row in rows:
        asterias = row[term + "scientificName"] == "Asterias rubens"
        assert row[term + "scientificNameID"] == (lsid if asterias else "")
        assert row[term + "basisOfRecord"] == "MachineObservation"
        machine = row[term + "identifiedBy"] == "head-1"
        verified = row[term + "identificationVerificationStatus"]
        assert verified == ("PredictedByMachine" if machine else "ValidatedByHuman")
    assert not any("Müll" in str(row) for row in rows)  # waste is no taxon


def test_encounters_count_what_stays_in_view_once(records: Records, tmp_path: Path) -> None:
    dwca = pytest.importorskip("dwca.read", reason="python-dwca-reader is not installed")
    out = tmp_path / "o.zip"
    FORMATS["darwin-core"].write(records, out, encounters=True)
    with dwca.DwCAReader(str(out)) as archive:
        rows = [row.data for row in archive]
    fauna = records.named().query("`class` == 'fauna'")
    term = "http://rs.tdwg.org/dwc/terms/"
    assert 1 <= len(rows) < len(fauna)
    kinds = set(zip(fauna["dive"], fauna["label"], strict=True))
    assert len(kinds) <= len(rows)  # frames are 7 s apart, so that gaps of more are new encounters
    most = fauna.groupby(["frame_id", "label"]).size().max()
    assert max(int(row[term + "individualCount"]) for row in rows) == most


def test_biigle_takes_the_tree_and_knows_the_hierarchy(records: Records, tmp_path: Path) -> None:
    out, _ = _write(records, "biigle", tmp_path)
    with zipfile.ZipFile(out / "label_tree.zip") as archive:
        assert sorted(archive.namelist()) == ["label_tree.json", "labels.csv"]
        rows = list(csv.DictReader(io.StringIO(archive.read("labels.csv").decode())))
    assert {row["source_id"] for row in rows if row["name"] == "Asterias rubens"} == {"123776"}
    tree = [" > ".join(entry.path) for entry in read_tree(out / "label_tree.zip")]
    assert sorted(tree) == sorted(" > ".join(records.tree.path(n.id)) for n in records.tree.walk())
    annotations = pd.read_csv(out / "annotations.csv")
    assert set(annotations["shape_name"]) == {"Polygon", "Rectangle"}
    assert all(len(json.loads(points)) >= 6 for points in annotations["points"])


def test_coralnet_points_lie_inside_and_codes_are_short(records: Records, tmp_path: Path) -> None:
    out, notes = _write(records, "coralnet", tmp_path)
    assert "have no CoralNet id" in notes[-1]
    labelset = pd.read_csv(out / "labelset.csv")
    assert labelset["Short Code"].str.len().max() <= 10
    assert labelset["Short Code"].is_unique
    for row in records.rows():
        x, y = inner_point(row)
        assert row["x"] <= x < row["x"] + row["w"]
        if row["mask"]:
            size = [row["image_height"], row["image_width"]]
            pixels = coco_mask.decode({"size": size, "counts": row["mask"].encode()})
            assert pixels[y, x] == 1
    many = short_codes([f"plastic bag {n}" for n in range(120)] + ["", "é"])
    assert len(set(many.values())) == 122


def test_a_ring_has_its_point_on_the_ring() -> None:
    pixels = np.zeros((40, 40), np.uint8)
    pixels[5:25, 5:25] = 1
    pixels[8:24, 8:24] = 0
    counts = coco_mask.encode(np.asfortranarray(pixels))["counts"].decode()
    row = {"x": 5, "y": 5, "w": 20, "h": 20, "mask": counts, "image_width": 40, "image_height": 40}
    x, y = inner_point(row)
    assert pixels[y, x] == 1
    assert box_of(outline(row)) == (5, 5, 19, 19)
    assert box_of(outline(row), pixels=True) == (5, 5, 20, 20)


@pytest.mark.parametrize("name", ["ifdo", "biigle"])
def test_a_mask_of_far_parts_comes_back_whole(labelled: Survey, tmp_path: Path, name: str) -> None:
    table = labelled.table("crops", EMBED_RUN)
    crops = table.read(units=["a"])
    rows = crops.to_pylist()
    named = set(read_records(labelled).named()["crop_id"])
    masks = {}
    chosen = [row for row in rows if row["crop_id"] in named][:3]
    for row, parts in zip(chosen, _FAR_PARTS, strict=True):
        pixels = np.zeros((180, 320), np.uint8)
        for x, y, w, h in parts:
            pixels[y : y + h, x : x + w] = 1
        counts = coco_mask.encode(np.asfortranarray(pixels))
        box = coco_mask.toBbox(counts).astype(int).tolist()
        row |= dict(zip("xywh", box, strict=True)) | {"mask": counts["counts"].decode()}
        masks[row["crop_id"]] = (pixels, sum((w - 1) * (h - 1) for _, _, w, h in parts))
    columns = {c: [row[c] for row in rows] for c in crops.schema.names}
    table.write("a", concat_rows(columns, "crops"), replace=True)
    out, _ = _write(read_records(labelled), name, tmp_path)
    if name == "biigle":  # which may have lost what it does not know
        file = out / "annotations.csv"
        pd.read_csv(file).drop(columns="attributes").to_csv(file, index=False)
    crops_found = _Crops(labelled)
    found = {crops_found.find(row) for row in FORMATS[name].read(out)}
    assert found == named
    for row in read_records(labelled).rows():
        if row["crop_id"] in masks:
            ring = np.array(outline(row), np.int32).reshape(-1, 2)
            drawn = cv2.fillPoly(np.zeros((180, 320), np.uint8), [ring], 1)
            mask, area = masks[row["crop_id"]]
            assert drawn[mask > 0].all()
            assert cv2.contourArea(ring) == area  # the lines between the parts enclose nothing


def test_yolo_has_images_boxes_and_names(records: Records, tmp_path: Path) -> None:
    out, notes = _write(records, "yolo", tmp_path)
    assert "divide them by dive" in notes[-1]
    names = yaml.safe_load((out / "data.yaml").read_text(encoding="utf-8"))["names"]
    assert list(names.values()) == sorted(set(records.named()["label"]))
    images = sorted(p.stem for p in (out / "images").iterdir())
    assert images == sorted(p.stem for p in (out / "labels").iterdir())
    for file in (out / "labels").iterdir():
        values = np.loadtxt(file, ndmin=2)
        assert ((values[:, 1:] > 0) & (values[:, 1:] < 1)).all()


def test_folders_hold_the_crops_and_any_name_is_a_folder(records: Records, tmp_path: Path) -> None:
    out, _ = _write(records, "folders", tmp_path)
    assert len(list(out.rglob("*.jpg"))) == len(records.named())
    row = records.rows()[0]
    (file,) = out.rglob(f"{row['crop_id']}.jpg")
    with Image.open(file) as image:
        assert row["w"] <= image.width <= row["w"] + 2 * round(0.1 * max(row["w"], row["h"]))
    for name in ("..", ".", "a/b", "a\\b", "c:", 'x"y', "sp.", "con?"):
        assert not set(_folder(name)) & set('/\\:*?"<>|')
        assert _folder(name).strip(".")


def test_two_exports_of_the_same_labels_are_the_same(records: Records, tmp_path: Path) -> None:
    for name in FORMATS:
        first, _ = _write(records, name, tmp_path / "a")
        second, _ = _write(records, name, tmp_path / "b")
        parts = [
            sorted(p for p in out.rglob("*") if p.is_file()) or [out] for out in (first, second)
        ]
        contents = [[p.read_bytes() for p in part] for part in parts]
        assert contents[0] == contents[1], name


def test_export_and_import_from_the_command_line(
    labelled: Survey, empty: Survey, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(*tokens: str) -> str:
        app(list(tokens), result_action="return_value")
        return capsys.readouterr().out

    out = str(tmp_path / "labels.json")
    said = run("export", "coco", "--out", out, "--survey", str(labelled.root))
    assert said.splitlines()[0].startswith("note: 2 crops that are rejected")
    assert said.splitlines()[-1].startswith("60 labels of ")
    assert said.splitlines()[-1].endswith(f"images: {out}")
    assert "60 labels read, 60 crops changed" in run(
        "label", "import", out, "--survey", str(empty.root)
    )
    run("label", "apply", str(_flags(tmp_path, labelled)), "--survey", str(empty.root))
    told = json.loads(run("label", "import", out, "--survey", str(empty.root), "--json"))
    assert told["crops"] == 0
    assert len(told["kept"]) == 1
    with pytest.raises(UserError, match=r"--out .*labels.json must end in .csv"):
        run("export", "csv", "--out", out, "--survey", str(labelled.root))
    with pytest.raises(UserError, match=r"--encounters is for darwin-core, not for coco"):
        run("export", "coco", "--out", out, "--encounters", "--survey", str(labelled.root))
    with pytest.raises(UserError, match=r"must be a new or empty folder"):
        run("export", "yolo", "--out", str(tmp_path), "--survey", str(labelled.root))


def test_darwin_core_says_how_many_occurrences_it_holds(
    labelled: Survey, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    frames = labelled.frames.read(["frame_id"])["frame_id"].to_pylist()
    bursts = [f"b{n // 2}" for n in range(len(frames))]
    keyframe = [n % 2 == 0 for n in range(len(frames))]
    add_run(labelled, "bursts", frame_id=frames, burst_id=bursts, keyframe=keyframe)
    for more in ([], ["--encounters"]):
        out = tmp_path / f"o{len(more)}.zip"
        tokens = ["export", "darwin-core", "--out", str(out), "--survey", str(labelled.root), *more]
        app(tokens, result_action="return_value")
        *notes, last = capsys.readouterr().out.splitlines()
        with zipfile.ZipFile(out) as archive:
            text = archive.read("occurrence.txt").decode()
        rows = list(csv.DictReader(io.StringIO(text), delimiter="\t"))
        images = len({row["associatedMedia"] for row in rows})
        assert last == f"{len(rows)} occurrences of {images} images: {out}"
        assert "note: 34 crops of other classes than fauna are left out" in notes


def _flags(folder: Path, survey: Survey) -> Path:
    crop = read_records(survey).named()["crop_id"].iloc[0]
    file = folder / "verdicts.csv"
    file.write_text(f"action,crop,name\nname,{crop},something else\n")
    return file
