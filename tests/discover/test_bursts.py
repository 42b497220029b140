"""`discover bursts` from end to end on a rendered survey, against the truth of its cameras."""

import hashlib
import json
import shutil
from pathlib import Path

import pandas as pd
import pytest

from classify.errors import UserError
from classify.runs import RunError
from discover import bursts as stage
from discover import frames
from discover.bursts import BurstConfig, find_bursts
from discover.commands import bursts as command
from discover.demo.overlap import true_overlaps
from discover.scenes import comparing
from discover.scenes.explain_pair import explain_pair
from discover.survey import Survey, SurveyError, open_survey


@pytest.fixture(scope="module")
def found(footage: Path, tmp_path_factory: pytest.TempPathFactory) -> Survey:
    """The rendered frames under names that say nothing, and their bursts."""
    root = tmp_path_factory.mktemp("hashed")
    for path in sorted(footage.glob("dive0[12]/*.jpg")):
        name = hashlib.md5(path.name.encode()).hexdigest()
        (root / "in" / path.parent.name).mkdir(parents=True, exist_ok=True)
        shutil.copy(path, root / "in" / path.parent.name / f"{name}.jpg")
    survey = open_survey(root / "survey", create=True)
    frames.add_frames(survey, [root / "in"])
    find_bursts(survey, BurstConfig(window=24, neighbours=3))
    return survey


def tables(survey: Survey) -> tuple[pd.DataFrame, pd.DataFrame]:
    run = survey.run("bursts").name
    return tuple(survey.table(t, run).read().to_pandas() for t in ("pairs", "bursts"))


def true_pairs(footage: Path, truth: pd.DataFrame, survey: Survey) -> dict[frozenset[str], float]:
    named = survey.frames.read(["frame_id", "path"]).to_pandas()
    ids = dict(zip(named["path"].map(lambda p: Path(p).stem), named["frame_id"], strict=True))
    overlaps = true_overlaps(truth[truth["dive"].isin(["dive01", "dive02"])], (180, 320))

    def frame(path: str) -> str:
        return ids[hashlib.md5(Path(path).name.encode()).hexdigest()]

    return {
        frozenset((frame(a), frame(b))): shared for a, b, shared in overlaps.itertuples(index=False)
    }


def test_pairs_are_those_that_share_floor(
    found: Survey, footage: Path, truth: pd.DataFrame
) -> None:
    pairs, _ = tables(found)
    true = true_pairs(footage, truth, found)
    proven = {frozenset(p) for p in zip(pairs["frame_a"], pairs["frame_b"], strict=True)}
    same = {pair for pair, shared in true.items() if shared >= 0.75}
    assert len(same) > 12
    assert len(same & proven) / len(same) > 0.95
    assert sum(pair not in true for pair in proven) <= 1
    assert len(proven) == len(pairs)  # each pair once


def test_bursts_are_whole_and_have_one_keyframe(found: Survey) -> None:
    pairs, bursts = tables(found)
    assert bursts["frame_id"].is_unique
    assert len(bursts) == found.count_frames()
    assert (bursts.groupby("burst_id")["keyframe"].sum() == 1).all()
    size = bursts.groupby("burst_id")["frame_id"].transform("size")
    assert (bursts["proof"].isna() == (size == 1)).all()
    dives = found.frames.read(["frame_id", "dive"]).to_pandas()
    of_dive = bursts.merge(dives, on="frame_id").groupby("burst_id")["dive"].nunique()
    assert (of_dive == 1).all()
    assert pairs["proof"].between(0.5, 1).all()


def test_the_same_again_adds_nothing(found: Survey) -> None:
    before = {p: p.stat().st_mtime_ns for p in found.root.rglob("*.*")}
    find_bursts(found, BurstConfig(window=24, neighbours=3))
    assert {p: p.stat().st_mtime_ns for p in found.root.rglob("*.*")} == before


def test_names_that_say_nothing_give_way_to_what_frames_share(found: Survey, footage: Path) -> None:
    _, bursts = tables(found)
    paths = found.frames.read(["frame_id", "path", "dive"]).to_pandas()
    number = {hashlib.md5(p.name.encode()).hexdigest(): int(p.stem.split("_")[1])
              for p in footage.rglob("*.jpg")}  # fmt: skip
    paths["true"] = paths["path"].map(lambda p: number[Path(p).stem])
    table = bursts.merge(paths, on="frame_id").dropna(subset="order")
    for _, dive in table.groupby("dive"):
        assert dive["order"].is_unique
        if len(dive) > 6:
            assert abs(dive["order"].corr(dive["true"], method="spearman")) > 0.9


def test_a_killed_run_and_added_frames_give_the_run_of_all(
    footage: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = BurstConfig(window=2, neighbours=2)
    for path in sorted(footage.glob("dive0[12]/*_00000?.jpg")):
        (tmp_path / "in" / path.parent.name).mkdir(parents=True, exist_ok=True)
        shutil.copy(path, tmp_path / "in" / path.parent.name)
    footage = tmp_path / "in"
    whole = open_survey(tmp_path / "whole", create=True)
    frames.add_frames(whole, [footage / "dive01", footage / "dive02"])
    whole_run = find_bursts(whole, config)

    grown = open_survey(tmp_path / "grown", create=True)
    frames.add_frames(grown, [footage / "dive01"])
    find_bursts(grown, config)
    frames.add_frames(grown, [footage / "dive02"])

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(stage, "_bursts", killed)
        with pytest.raises(KeyboardInterrupt):
            find_bursts(grown, config)
    assert sum(run.is_complete for run in grown.runs("bursts")) == 1
    compared: list[int] = []
    original = comparing.prove
    monkeypatch.setattr(comparing, "prove", lambda *a, **k: compared.append(1) or original(*a, **k))
    grown_run = find_bursts(grown, config)
    assert not compared  # every proof was kept
    results = [
        survey.table("bursts", run.name).read().to_pandas().sort_values("frame_id")
        for survey, run in ((whole, whole_run), (grown, grown_run))
    ]
    columns = ["frame_id", "burst_id", "keyframe", "order"]
    whole_rows, grown_rows = (r[columns].reset_index(drop=True) for r in results)
    pd.testing.assert_frame_equal(whole_rows, grown_rows)
    assert whole_rows["order"].notna().all()  # the names count


def test_a_pair_is_explained(found: Survey) -> None:
    pairs, _ = tables(found)
    best = pairs.sort_values("inliers").iloc[-1]
    explained = explain_pair(found, best["frame_a"], best["frame_b"])
    assert explained.verdict.startswith("one scene")
    assert explained.probability == pytest.approx(best["proof"], abs=0.01)
    green = (explained.picture == (60, 200, 90)).all(axis=2).sum()
    assert green > best["inliers"]
    with pytest.raises(SurveyError, match="names no frame"):
        explain_pair(found, "nothing.jpg", best["frame_b"])


def test_frames_that_cannot_be_read_are_counted(footage: Path, tmp_path: Path) -> None:
    folder = tmp_path / "in" / "dive"
    folder.mkdir(parents=True)
    for path in sorted(footage.rglob("*.jpg"))[:4]:
        shutil.copy(path, folder)
    survey = open_survey(tmp_path / "s", create=True)
    frames.add_frames(survey, [folder])
    next(folder.iterdir()).unlink()
    counts = find_bursts(survey).info["counts"]
    assert (counts["frames"], counts["unreadable"]) == (3, 1)


def test_settings_are_checked(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="--overlap 0"):
        BurstConfig(overlap=0)
    with pytest.raises(UserError, match="discover add"):
        find_bursts(open_survey(tmp_path, create=True))


def test_the_command_says_what_it_found(
    found: Survey, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command.bursts(window="24", neighbours=3, survey=found.root, as_json=True)
    said = json.loads(capsys.readouterr().out)
    _, bursts = tables(found)
    assert said["bursts"] == bursts["burst_id"].nunique()
    pair = tuple(bursts["frame_id"][:2])
    command.bursts(explain=pair, out=tmp_path / "pair.png", survey=found.root)
    assert (tmp_path / "pair.png").stat().st_size > 10_000
    with pytest.raises(UserError, match="--window 'soon'"):
        command.bursts(window="soon", survey=found.root)
