from pathlib import Path

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from classify.data import read_labels
from discover.listed import frames_of, name_from, write_table
from discover.splits import SplitConfig, split_frames
from discover.survey import Survey, SurveyError
from tests.discover.tables_by_hand import add_run, make_survey

DIVES = {"d0": 9, "d1": 4, "d2": 12, "d3": 7, "d4": 5}


@pytest.fixture
def survey(tmp_path: Path) -> Survey:
    return make_survey(tmp_path, DIVES)


def _labels(survey: Survey, label_of: dict[str, list[str]]) -> Path:
    """Draw the frames and label those of each dive in turn by its labels."""
    rows = []
    for row in survey.frames.read(["path", "dive", "index"]).to_pylist():
        file = survey.frame_path(row["path"])
        file.parent.mkdir(exist_ok=True)
        colour = (20 * row["index"], 50 * list(DIVES).index(row["dive"]), 0)
        Image.new("RGB", (8, 8), colour).save(file)
        labels = label_of.get(row["dive"], [])
        if labels:
            rows.append((row["path"], labels[row["index"] % len(labels)]))
    csv = survey.root / "labels.csv"
    pd.DataFrame(rows, columns=["image", "label"]).to_csv(csv, index=False)
    return csv


def _bursts(survey: Survey, length: int = 3) -> None:
    rows = survey.frames.read(["frame_id", "index"]).to_pylist()
    add_run(
        survey,
        "bursts",
        frame_id=[row["frame_id"] for row in rows],
        burst_id=[str(row["index"] // length) for row in rows],  # numbered within the dive
        order=[row["index"] for row in rows],
    )


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 99), test=st.floats(0.05, 0.5), burst=st.booleans())
def test_no_group_is_on_both_sides(survey: Survey, seed: int, test: float, burst: bool) -> None:
    if not survey.runs("bursts"):
        _bursts(survey)
    by = "burst" if burst else "dive"
    table = split_frames(survey, SplitConfig(by, test=test, seed=seed)).table
    groups = ["dive", "burst"] if burst else ["dive"]
    assert (table.groupby(groups)["split"].nunique() == 1).all()
    assert set(table["split"]) == {"train", "test"}
    assert len(table) == sum(DIVES.values())


def test_folds_hold_out_every_frame_once_and_the_same_seed_gives_the_same(survey: Survey) -> None:
    table = split_frames(survey, SplitConfig(folds=3)).table
    assert set(table["fold"]) == {0, 1, 2}
    assert (table.groupby("dive")["fold"].nunique() == 1).all()
    assert table.equals(split_frames(survey, SplitConfig(folds=3)).table)
    assert "split" not in table


def test_labels_choose_the_frames_and_every_class_is_trained_on(survey: Survey) -> None:
    both = ["waste", "fauna"]
    csv = _labels(survey, {"d0": both, "d1": both, "d2": both, "d3": ["fauna", "algae"]})
    done = split_frames(survey, SplitConfig(test=0.3), labels=csv, folder=survey.root)
    train = done.table[done.table["split"] == "train"]
    assert set(done.table["dive"]) == {"d0", "d1", "d2", "d3"}
    assert set(train["label"]) == {"waste", "fauna", "algae"}
    assert done.notes == [
        "class 'algae' is seen in one dive only (d3): it cannot be trained and tested on; "
        "label it in a second dive, or leave it out"
    ]


def test_the_table_is_what_classify_reads(survey: Survey, tmp_path: Path) -> None:
    csv = _labels(survey, {dive: ["waste", "fauna"] for dive in DIVES})
    for out in (survey.root / "split.csv", tmp_path / "elsewhere" / "split.parquet"):
        done = split_frames(survey, SplitConfig(folds=2), labels=csv, folder=out.parent)
        write_table(done.table, out)
        found = read_labels(out)
        assert found["elements"].tolist() == done.table["label"].tolist()
        assert found["part"].tolist() == done.table["fold"].astype(str).tolist()
    assert done.table["image"].map(lambda name: Path(name).is_absolute()).all()


def test_predictions_balance_but_do_not_label(survey: Survey) -> None:
    ids = survey.frames.read(["frame_id"])["frame_id"].to_pylist()
    classes = ["waste" if n % 3 else "fauna" for n in range(len(ids))]
    columns = {"task": ["elements"] * len(ids), "probability": [1.0] * len(ids)}
    add_run(survey, "predictions", frame_id=ids, **columns, **{"class": classes})
    done = split_frames(survey, labels=Path("predictions"))
    assert done.table["label"].isna().all()
    assert set(done.table["predicted"]) == {"waste", "fauna"}
    with pytest.raises(SurveyError, match="predictions/r say nothing of floor"):
        split_frames(survey, labels=Path("predictions"), task="floor")


def test_bursts_are_named_where_they_are_known(survey: Survey) -> None:
    assert split_frames(survey).table["burst"].isna().all()
    _bursts(survey)
    assert split_frames(survey).table["burst"].notna().all()


def test_a_class_that_every_split_would_take_is_refused(tmp_path: Path) -> None:
    survey = make_survey(tmp_path, {"d0": 6, "d1": 6})
    csv = _labels(survey, {"d0": ["waste"], "d1": ["fauna"]})
    with pytest.raises(SurveyError, match=r"every test set would take all frames of a class.*d0"):
        split_frames(survey, labels=csv)


def test_what_cannot_be_split_says_why(survey: Survey, tmp_path: Path) -> None:
    lonely = make_survey(tmp_path / "lonely", {"d": 5})
    with pytest.raises(SurveyError, match="there is 1 dive, too few for 2 parts; try --by burst"):
        split_frames(lonely)
    with pytest.raises(SurveyError, match="there are 5 dives, too few for 6 parts"):
        split_frames(survey, SplitConfig(folds=6))
    with pytest.raises(SurveyError, match="has no bursts: run `discover bursts` first"):
        split_frames(survey, SplitConfig("burst"))
    with pytest.raises(SurveyError, match="no predictions: run `classify predict"):
        split_frames(survey, labels=Path("predictions"))
    csv = _labels(survey, {"d0": ["waste"]})
    with pytest.raises(SurveyError, match="names no frame of"):
        split_frames(lonely, labels=csv)
    with pytest.raises(SurveyError, match="has no frames: run `discover add"):
        split_frames(make_survey(tmp_path / "none", {}))
    for settings_, message in (({"by": "week"}, "--by 'week'"), ({"folds": 1}, "--folds 1"),
                               ({"test": 0.9}, "--test 0.9")):  # fmt: skip
        with pytest.raises(SurveyError, match=message):
            SplitConfig(**settings_)


def test_frames_without_a_burst_are_counted(survey: Survey) -> None:
    add_run(survey, "bursts", frame_id=["d0/00"], burst_id=["0"], order=[0])
    with pytest.raises(SurveyError, match="--by burst: 36 frames are in no burst of bursts/r"):
        split_frames(survey, SplitConfig("burst"))


def test_names_lead_to_frames_whichever_way_they_are_written(survey: Survey) -> None:
    root = survey.root
    (root / "images").mkdir()
    names = ["d0/03.jpg", str((root / "d0/03.jpg").resolve()), "gone.jpg"]
    assert frames_of(survey, names, root) == ["d0/03", "d0/03", None]
    assert frames_of(survey, ["../d1/00.jpg"], root / "images") == ["d1/00"]
    assert name_from(root / "d0" / "03.jpg", root) == "d0/03.jpg"
    assert Path(name_from(root / "d0" / "03.jpg", root / "images")).is_absolute()
    with pytest.raises(SurveyError, match=r"split.txt must end in .csv or .parquet"):
        write_table(pd.DataFrame(), root / "split.txt")


def test_bursts_that_a_proven_pair_ties_stay_together(survey: Survey) -> None:
    _bursts(survey)
    add_run(
        survey,
        "pairs",
        frame_a=["d0/02", "d0/05", "d2/02"],
        frame_b=["d0/03", "d2/00", "d2/03"],
        proof=[0.9, 0.8, 0.2],
    )
    for seed in range(10):
        table = split_frames(survey, SplitConfig("burst", test=0.3, seed=seed)).table
        side = dict(zip(table["image"].str[-9:-4], table["split"], strict=True))
        assert len({side[name] for name in ("d0/00", "d0/04", "d0/05", "d2/01")}) == 1
    sides = [
        split_frames(survey, SplitConfig("burst", seed=seed)).table["split"].tolist()
        for seed in range(10)
    ]
    assert any(row[13 + 2] != row[13 + 3] for row in sides)  # d2/02 and d2/03: not proven
