from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from discover.leaks import Leaks, find_leaks, leak_lines
from discover.sheet import save_sheet
from discover.survey import Survey, SurveyError
from tests.discover.tables_by_hand import add_run, make_survey


@pytest.fixture
def survey(tmp_path: Path) -> Survey:
    """Two dives of three frames; three proven pairs, two of them between the dives."""
    opened = make_survey(tmp_path, {"a": 3, "b": 3})
    add_run(
        opened,
        "pairs",
        frame_a=["a/00", "a/00", "a/01", "a/02"],
        frame_b=["a/01", "b/00", "b/01", "b/02"],
        inliers=[90, 40, 60, 8],
        overlap=[0.9, 0.5, 0.6, 0.2],
        proof=[1.0, 0.9, 0.95, 0.3],
    )
    return opened


def _split(survey: Survey, **columns: list[object]) -> Path:
    names = survey.frames.read(["path"])["path"].to_pylist()
    out = survey.root / "split.csv"
    pd.DataFrame({"image": names, **columns}).to_csv(out, index=False)
    return out


def _found(leaks: Leaks) -> list[tuple[str, str]]:
    return list(zip(leaks.pairs["image_a"], leaks.pairs["image_b"], strict=True))


def test_pairs_that_a_split_divides_are_named_with_the_held_out_image_first(survey: Survey) -> None:
    leaks = find_leaks(survey, _split(survey, split=["train"] * 3 + ["test"] * 3))
    assert _found(leaks) == [("b/01.jpg", "a/01.jpg"), ("b/00.jpg", "a/00.jpg")]  # surest first
    assert leaks.pairs["dive_a"].tolist() == ["b", "b"]
    assert leaks.pairs["part_b"].tolist() == ["train", "train"]
    assert (leaks.leaking, leaks.held_out, leaks.share) == (2, 3, pytest.approx(2 / 3))
    assert leak_lines(leaks) == [
        "this split leaks: 2 of 3 held-out images (66.7%) show a scene that is trained on too, "
        "in 2 proven pairs",
        "  b and a: 2 pairs",
    ]


def test_a_clean_split_says_so(survey: Survey) -> None:
    leaks = find_leaks(survey, _split(survey, split=["train"] * 2 + ["test"] + ["train"] * 3))
    assert leaks.pairs.empty
    assert leak_lines(leaks)[0].startswith("no leak found: none of 1 held-out images")


def test_the_least_proof_can_be_set(survey: Survey) -> None:
    split = _split(survey, split=["train"] * 3 + ["test"] * 3)
    assert len(find_leaks(survey, split, min_proof=0.2).pairs) == 3
    assert len(find_leaks(survey, split, min_proof=0.92).pairs) == 1


def test_folds_leak_from_each_to_each(survey: Survey) -> None:
    leaks = find_leaks(survey, _split(survey, fold=[0, 1, 0, 0, 2, 0]))
    assert sorted(_found(leaks)) == [("a/00.jpg", "a/01.jpg"), ("a/01.jpg", "b/01.jpg")]
    assert (leaks.leaking, leaks.held_out) == (3, 6)


def test_a_training_runs_own_split_is_read(survey: Survey) -> None:
    csv = _split(survey, validation=[False] * 3 + [True] * 3)
    table = pd.read_csv(csv).rename(columns={"image": "path"})
    table["path"] = [str((survey.root / name).resolve()) for name in table["path"]]
    table.to_csv(csv, index=False)
    assert find_leaks(survey, csv).leaking == 2


@pytest.mark.parametrize("where", ["/old/place/{}", "C:\\old\\{}", "../before/{}"])
def test_a_split_outlives_a_move_of_the_survey(survey: Survey, where: str) -> None:
    csv = _split(survey, split=["train"] * 3 + ["test"] * 3)
    table = pd.read_csv(csv)
    table["image"] = [where.format(name) for name in table["image"]]
    table.to_csv(csv, index=False)
    leaks = find_leaks(survey, csv)
    assert (leaks.leaking, leaks.held_out, leaks.unknown) == (2, 3, 0)
    table["image"] = table["image"].str.replace(r"[/\\\\][ab][/\\\\]", "/x/", regex=True)
    table.to_csv(csv, index=False)
    with pytest.raises(SurveyError, match="names no frame of"):  # a file name alone is too little
        find_leaks(survey, csv)
    table.assign(dive=["a"] * 3 + ["b"] * 3).to_csv(csv, index=False)
    assert find_leaks(survey, csv).leaking == 2


def test_a_name_that_two_frames_of_its_dive_have_is_refused(tmp_path: Path) -> None:
    survey = make_survey(tmp_path, {"a": 2, "b": 1}, path=["l/f.jpg", "r/f.jpg", "f.jpg"])
    add_run(survey, "pairs", frame_a=[], frame_b=[], inliers=[], overlap=[], proof=[])
    split = _split(survey, split=["train", "train", "test"], dive=["a", "a", "b"])
    assert find_leaks(survey, split).unknown == 0
    table = pd.read_csv(split)
    table["image"] = ["/old/f.jpg", "/old/r/f.jpg", "/old/f.jpg"]
    table.to_csv(split, index=False)
    words = r"image '/old/f.jpg' may be l/f.jpg or r/f.jpg of dive 'a': give its path as it is"
    with pytest.raises(SurveyError, match=words):
        find_leaks(survey, split)


def test_equal_files_are_proof_enough(tmp_path: Path) -> None:
    survey = make_survey(tmp_path, {"a": 2, "b": 2}, sha256=["x", "y", "x", "z"])
    add_run(survey, "pairs", frame_a=[], frame_b=[], inliers=[], overlap=[], proof=[])
    leaks = find_leaks(survey, _split(survey, split=["train"] * 2 + ["test"] * 2))
    assert _found(leaks) == [("b/00.jpg", "a/00.jpg")]
    assert leaks.pairs["same"].tolist() == ["file"]


def test_a_file_in_two_dives_is_told_apart_by_its_dive(tmp_path: Path) -> None:
    survey = make_survey(tmp_path, {"a": 1, "b": 1}, path=["f.jpg"] * 2, sha256=["x"] * 2)
    add_run(survey, "pairs", frame_a=[], frame_b=[], inliers=[], overlap=[], proof=[])
    split = _split(survey, split=["train", "test"], dive=["a", "b"])
    assert find_leaks(survey, split).leaking == 1


def test_images_that_are_no_frames_are_counted(survey: Survey) -> None:
    split = _split(survey, split=["train"] * 3 + ["test"] * 3)
    table = pd.read_csv(split)
    table.loc[len(table)] = ["gone.jpg", "test"]
    table.to_csv(split, index=False)
    assert "beware: 1 of the images are no frames" in leak_lines(find_leaks(survey, split))[-1]


def test_what_is_no_split_says_why(survey: Survey, tmp_path: Path) -> None:
    for columns, message in (
        ({"fish": [1] * 6}, "needs the columns image and split or fold.*it has image, fish"),
        ({"split": [None] * 6}, "says of no image on which side it is"),
    ):
        with pytest.raises(SurveyError, match=message):
            find_leaks(survey, _split(survey, **columns))
    with pytest.raises(SurveyError, match="cannot be read"):
        find_leaks(survey, tmp_path / "none.csv")
    pd.DataFrame({"image": ["x.jpg"], "split": ["test"]}).to_csv(tmp_path / "s.csv", index=False)
    with pytest.raises(SurveyError, match="names no frame of"):
        find_leaks(survey, tmp_path / "s.csv")
    bare = make_survey(tmp_path / "bare", {"a": 1})
    with pytest.raises(SurveyError, match="has no pairs: run `discover bursts` first"):
        find_leaks(bare, tmp_path / "s.csv")


def test_a_sheet_holds_every_group_and_survives_a_lost_picture(tmp_path: Path) -> None:
    Image.new("RGB", (400, 100), (200, 10, 10)).save(tmp_path / "wide.png")
    rows = [[(tmp_path / "wide.png", "train: " + "long/" * 40), (tmp_path / "gone.png", "test")]]
    out = save_sheet(rows * 3, tmp_path / "sheet.jpg")
    with Image.open(out) as sheet:
        assert sheet.width > 4 * 320
        assert sheet.height > 2 * 180
        reds = sum(r > 150 and g < 60 for _, (r, g, _b) in sheet.getcolors(1 << 24))
    assert reds
