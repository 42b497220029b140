from pathlib import Path

import pandas as pd
import pytest

from discover.export import FORMATS, format_of
from discover.export.records import Records, read_records
from discover.labels import LabelError, Labels
from discover.naming.events import By
from discover.naming.label_import import Imported, import_labels
from discover.survey import Survey

PROVENANCE = ("csv", "parquet", "coco", "biigle", "darwin-core")  # formats that keep all of it
BY = By("importer", based_on="file")


def _write(records: Records, name: str, folder: Path) -> Path:
    out = folder / f"{name}{FORMATS[name].ending}"
    FORMATS[name].write(records, out)
    return out


def _read(survey: Survey, file: Path, name: str | None = None, **options: bool) -> Imported:
    labels = Labels(survey.labels_url)
    try:
        with labels.write() as writer:
            rows = format_of(file, name).read(file)
            return import_labels(writer, survey, rows, BY, **options)
    finally:
        labels.close()


def _decided(survey: Survey) -> pd.DataFrame:
    labels = Labels(survey.labels_url)
    table = labels.decided()
    labels.close()
    return table.set_index("crop_id")


@pytest.mark.parametrize("name", FORMATS)
def test_what_is_exported_imports_to_the_same_labels(
    records: Records, labelled: Survey, empty: Survey, tmp_path: Path, name: str
) -> None:
    out = _write(records, name, tmp_path)
    assert format_of(out, None) == FORMATS[name]
    done = _read(empty, out)
    ours, theirs = _decided(labelled), _decided(empty)
    expected = ours if name in ("csv", "parquet") else ours[ours["label"] != "rejected"]
    if name == "darwin-core":
        expected = expected[expected.index.isin(records.table.query("`class` == 'fauna'").crop_id)]
    assert done.rows == len(expected) > 0
    theirs = theirs.loc[expected.index]
    assert theirs["label"].tolist() == expected["label"].tolist()
    assert theirs["qualifier"].isna().tolist() == expected["qualifier"].isna().tolist()
    if name not in ("yolo", "coralnet", "fathomnet"):  # those have no tree
        assert theirs["path"].fillna("").tolist() == expected["path"].fillna("").tolist()
    if name in (*PROVENANCE, "ifdo"):
        for column in ("origin", "annotator", "time_utc"):
            assert theirs[column].tolist() == expected[column].tolist(), column
        pd.testing.assert_series_equal(theirs["confidence"], expected["confidence"])
    if name in PROVENANCE:
        assert theirs["based_on"].tolist() == expected["based_on"].tolist()


@pytest.mark.parametrize("name", FORMATS)
def test_the_same_file_into_the_same_survey_changes_nothing(
    records: Records, labelled: Survey, tmp_path: Path, name: str
) -> None:
    before = _decided(labelled)
    done = _read(labelled, _write(records, name, tmp_path))
    assert done.kept == []
    after = _decided(labelled)
    # where a file does not say that a machine decided, whoever imports it confirms
    people = before["origin"] == "human"
    pd.testing.assert_frame_equal(after[people], before[people])
    assert after["label"].tolist() == before["label"].tolist()


@pytest.mark.parametrize("name", ["csv", "parquet", "coco", "biigle"])
def test_undoing_everything_and_importing_leads_to_the_same_bytes(
    records: Records, labelled: Survey, empty: Survey, tmp_path: Path, name: str
) -> None:
    first = _write(records, name, tmp_path / "a")
    labels = Labels(labelled.labels_url)
    labels.name(records.table["crop_id"][:50], "something else", annotator="eva")
    labels.undo(annotator="eva")
    labels.close()
    assert _bytes(_write(read_records(labelled), name, tmp_path / "b")) == _bytes(first)
    _read(empty, first)
    again = _write(read_records(empty), name, tmp_path / "c")
    if name in ("csv", "parquet"):
        assert _bytes(again) == _bytes(first)


def _bytes(out: Path) -> list[bytes]:
    return [p.read_bytes() for p in sorted(out.rglob("*"))] if out.is_dir() else [out.read_bytes()]


def test_an_import_does_not_reset_what_a_person_decided(
    records: Records, labelled: Survey, empty: Survey, tmp_path: Path
) -> None:
    file = _write(records, "csv", tmp_path)
    crop = records.table["crop_id"][0]
    labels = Labels(empty.labels_url)
    labels.name([crop], "checked", annotator="mia")
    done = _read(empty, file)
    assert done.kept == [crop]
    assert _decided(empty).loc[crop, "label"] == "checked"
    done = _read(empty, file, overwrite=True)
    assert done.kept == []
    assert _decided(empty).loc[crop, "label"] == _decided(labelled).loc[crop, "label"]
    labels.close()


def test_boxes_of_another_tool_need_not_be_exactly_ours(empty: Survey, tmp_path: Path) -> None:
    crops = empty.table("crops", "lite0-0a1b2c3d").read().to_pandas()
    frames = empty.frames.read(["frame_id", "path"]).to_pandas().set_index("frame_id")["path"]
    row = crops.iloc[3]
    file = tmp_path / "f.csv"
    image = frames[row["frame_id"]]
    line = f"crab,{image},{row['x'] + 2},{row['y'] - 1},{row['w'] + 3},{row['h']}\n"
    file.write_text("concept,image,x,y,width,height\n" + line)
    _read(empty, file)
    assert _decided(empty)["label"].to_dict() == {row["crop_id"]: "crab"}


@pytest.mark.parametrize(
    ("name", "rows", "words"),
    [
        ("csv", "crop_id,label\n{a},x\nnone,x\n", r"row 3: crop 'none' is not in the survey"),
        ("csv", "crop_id,label\n{a},x\n{b},y\n{a},z\n", r"row 4: the same crop as row 2: leave"),
        ("csv", "crop_id,label\n{a},x\n{b},\n", r"row 3: the label is empty"),
        ("csv", "crop_id,name\n{a},x\n", r"has no column label or path: it has crop_id, name"),
        ("csv", "crop_id,label,confidence\n{a},x,high\n", r"row 2: confidence 'high' is no number"),
        ("csv", "crop_id,label,created_at\n{a},x,May\n", r"row 2: 'May' is no point in time"),
        ("csv", "crop_id,label,status\n{a},x,robot\n", r"origin 'robot' is neither"),
        ("csv", "crop_id,label\n{a},x\n{b}\n", r"row 3 has 1 values, but the header names 2"),
        ("fathomnet", "concept,image,x\nx,a,1\n", r"has no column y: it needs concept"),
        ("fathomnet", "concept,image,x,y,width,height\nx,a.jpg,1,1,1,1\n", r"row 2: image 'a.jpg'"),
        ("coralnet", "Name,Row,Column,Label code\nz.jpg,1,1,x\n", r"row 2: image 'z.jpg'"),
        ("coco", "[]", r"is no COCO file"),
        ("coco", "{{", r"is no JSON"),
        ("ifdo", "{{}}", r"is no iFDO: it lacks 'image-set-header'"),
        ("csv", "label,crop_id\n\udce9,{a}\n", r"row 2 is not UTF-8"),
        ("parquet", "no", r"is no Parquet file"),
        ("darwin-core", "no", r"is no Darwin Core archive"),
    ],
)
def test_a_wrong_file_names_its_row_and_changes_nothing(
    empty: Survey, tmp_path: Path, name: str, rows: str, words: str
) -> None:
    crops = empty.table("crops", "lite0-0a1b2c3d").read(["crop_id"])["crop_id"].to_pylist()
    file = tmp_path / "file"
    text = rows.format(a=crops[0], b=crops[1])
    file.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(LabelError, match=words):
        _read(empty, file, name)
    assert _decided(empty).empty


def test_a_format_that_cannot_be_told_is_asked_for(tmp_path: Path) -> None:
    with pytest.raises(LabelError, match="add --format"):
        format_of(tmp_path / "labels.xlsx", None)
    with pytest.raises(LabelError, match="--format 'word' is none of csv"):
        format_of(tmp_path / "labels.csv", "word")
