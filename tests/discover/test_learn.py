from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from classify.runs import RunError
from discover.annotate import Verdict, decide
from discover.labels import Labels
from discover.learn import LearnConfig, learn
from discover.learning.kind_head import fit_head, load_head
from discover.learning.suggest import suggest
from discover.learning.worth_a_look import worth_a_look
from discover.naming.events import By
from discover.survey import Survey, SurveyError
from discover.tables import vectors_to_column
from tests.discover.tables_by_hand import add_run, make_survey

KINDS = ("bag", "can", "net")


def _survey(folder: Path, *, dives: int = 4, each: int = 12, seed: int = 0) -> Survey:
    """Make a survey whose crop `d1/03` is of kind 3 % 3 in dive d1, near the centre of its kind."""
    survey = make_survey(folder, {f"d{n}": each for n in range(dives)})
    frames = survey.frames.read(["frame_id"])["frame_id"].to_pylist()
    kinds = np.array([int(f.split("/")[1]) % 3 for f in frames])
    rng = np.random.default_rng(seed)
    dive = np.repeat(rng.normal(0, 0.3, (dives, 16)), each, axis=0)
    vectors = 2 * np.eye(16)[kinds] + dive + rng.normal(0, 0.2, (len(frames), 16))
    count = len(frames)
    add_run(
        survey,
        "crops",
        crop_id=list(frames),
        frame_id=list(frames),
        **{"class": ["waste"] * count},
    )
    column, _ = vectors_to_column(vectors.astype(np.float32))
    add_run(
        survey,
        "embeddings",
        parents={"crops": "r"},
        crop_id=list(frames),
        vector=column.to_pylist(),
    )
    return survey


def _name(survey: Survey, dives: tuple[str, ...]) -> dict[str, str]:
    frames = survey.frames.read(["frame_id", "dive"]).to_pylist()
    names = {
        f["frame_id"]: KINDS[int(f["frame_id"].split("/")[1]) % 3]
        for f in frames
        if f["dive"] in dives
    }
    labels = Labels(survey.labels_url)
    for kind in KINDS:
        labels.name([c for c, name in names.items() if name == kind], kind, annotator="ann")
    labels.close()
    return names


def _rows(survey: Survey, run: str) -> dict[str, dict[str, object]]:
    return {row["crop_id"]: row for row in survey.table("suggestions", run).read().to_pylist()}


def test_what_was_named_is_suggested_for_the_rest_and_said_of_other_dives(tmp_path: Path) -> None:
    survey = _survey(tmp_path / "s")
    named = _name(survey, ("d0", "d1", "d2"))
    run = learn(survey, tmp_path / "head", config=LearnConfig("waste"))
    counts = run.info["counts"]
    assert counts["held_out_by"] == "dive"
    assert counts["named"] == len(named)
    assert counts["balanced_accuracy"] > 0.9
    confusion = np.array(run.info["confusion"]["counts"])
    assert confusion.shape == (len(run.info["confusion"]["kinds"]),) * 2
    assert confusion.sum() == counts["named"]
    assert np.trace(confusion) / counts["named"] == pytest.approx(counts["accuracy"], abs=1e-4)
    rows = _rows(survey, run.info["suggestions"])
    assert set(rows) == {f"d3/{n:02d}" for n in range(12)}  # never of what a person named
    assert all(row["name"] == KINDS[int(crop[3:]) % 3] for crop, row in rows.items())
    assert sorted(row["next"] for row in rows.values()) == list(range(12))
    assert (tmp_path / "head" / "learning.html").is_file()

    head, about = load_head(tmp_path / "head")
    assert about["class_name"] == "waste"
    assert head.kinds == KINDS
    with pytest.raises(RunError, match="holds a head already"):
        learn(survey, tmp_path / "head")


def test_a_suggestion_is_no_label(tmp_path: Path) -> None:
    survey = _survey(tmp_path / "s")
    named = _name(survey, ("d0", "d1"))
    learn(survey, tmp_path / "head")
    labels = Labels(survey.labels_url)
    assert len(labels.names()) == len(named)
    labels.close()


def test_a_head_names_another_survey_that_was_embedded_alike(tmp_path: Path) -> None:
    survey = _survey(tmp_path / "s")
    _name(survey, ("d0", "d1", "d2", "d3"))
    learn(survey, tmp_path / "head")
    other = _survey(tmp_path / "other", dives=2, seed=7)
    rows = _rows(other, suggest(other, tmp_path / "head").name)
    assert len(rows) == 24
    right = [row["name"] == KINDS[int(crop[3:]) % 3] for crop, row in rows.items()]
    assert np.mean(right) > 0.9
    with pytest.raises(RunError, match="not a folder that `discover learn` wrote"):
        suggest(other, tmp_path)


def test_embeddings_made_otherwise_are_refused(tmp_path: Path) -> None:
    survey = _survey(tmp_path / "s")
    _name(survey, ("d0", "d1"))
    learn(survey, tmp_path / "head")
    head = tmp_path / "head" / "head.json"
    head.write_text(head.read_text().replace('"model_hash": null', '"model_hash": "other"'))
    with pytest.raises(SurveyError, match="no embeddings like those"):
        suggest(survey, tmp_path / "head")


def test_too_few_names_are_refused(tmp_path: Path) -> None:
    survey = _survey(tmp_path / "s")
    with pytest.raises(SurveyError, match="0 crops of 0 kinds"):
        learn(survey, tmp_path / "none")
    assert not (tmp_path / "none").exists()
    labels = Labels(survey.labels_url)
    labels.name([f"d0/{n:02d}" for n in range(0, 12, 3)], "bag", annotator="ann")
    labels.close()
    with pytest.raises(SurveyError, match="4 crops of 1 kinds"):
        learn(survey, tmp_path / "one")


def test_that_nothing_is_there_is_learned_too(tmp_path: Path) -> None:
    survey = _survey(tmp_path / "s")
    crops = [f"d{d}/{n:02d}" for d in range(3) for n in range(12)]
    labels = Labels(survey.labels_url)
    labels.name([c for c in crops if int(c[3:]) % 3 == 0], "bag", annotator="ann")
    with labels.write() as writer:
        nothing = tuple(crop for crop in crops if int(crop[3:]) % 3)
        decide(writer, Verdict("reject", nothing), By("ann"))
    labels.close()
    run = learn(survey, tmp_path / "head")
    rows = _rows(survey, run.info["suggestions"])
    assert {rows[f"d3/{n:02d}"]["name"] for n in (1, 2)} == {"rejected"}
    assert rows["d3/00"]["name"] == "bag"


def test_the_names_of_a_team_are_learned_from_wherever_they_live(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    survey = _survey(tmp_path / "s")
    monkeypatch.setenv("DISCOVER_LABELS_URL", f"sqlite:///{tmp_path / 'team.sqlite'}")
    named = _name(survey, ("d0", "d1", "d2"))
    run = learn(survey, tmp_path / "head")
    assert run.info["counts"]["named"] == len(named)
    assert not (survey.root / "labels.sqlite").exists()


def test_names_of_one_dive_are_held_out_by_scene(tmp_path: Path) -> None:
    survey = _survey(tmp_path / "s")
    _name(survey, ("d1",))
    run = learn(survey, tmp_path / "head")
    assert run.info["counts"]["held_out_by"] == "scene"


@pytest.mark.parametrize(("way", "amount"), [("linear", 1.0), ("neighbours", 3)])
def test_a_head_is_the_same_after_saving(way: str, amount: float, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(30, 8)).astype(np.float32)
    numbers = np.arange(30) % 3
    head = fit_head(vectors, numbers, np.arange(30), KINDS, way, amount, 1.7)
    head.save(tmp_path, note="kept")
    again, about = load_head(tmp_path)
    asked = rng.normal(size=(5, 8)).astype(np.float32)
    np.testing.assert_array_equal(head.probabilities(asked), again.probabilities(asked))
    np.testing.assert_array_equal(head.novelty(asked), again.novelty(asked))
    np.testing.assert_allclose(head.probabilities(asked).sum(axis=1), 1, rtol=1e-5)
    assert about == {"note": "kept"}


def test_what_is_far_from_all_names_is_novel(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    vectors = (np.eye(16)[np.arange(60) % 3] + rng.normal(0, 0.1, (60, 16))).astype(np.float32)
    head = fit_head(vectors, np.arange(60) % 3, np.arange(60), KINDS, "neighbours", 3)
    strange = np.eye(16, dtype=np.float32)[[9]]
    assert head.novelty(strange)[0] == 1
    assert head.novelty(np.eye(16, dtype=np.float32)[[1]])[0] < 0.5


@settings(deadline=None)
@given(st.integers(0, 30), st.integers(1, 40), st.integers(1, 4))
def test_no_crop_is_chosen_twice(crops: int, count: int, kinds: int) -> None:
    rng = np.random.default_rng(crops)
    unit = rng.normal(size=(crops, 4)).astype(np.float32)
    unit /= np.maximum(np.linalg.norm(unit, axis=1, keepdims=True), 1e-9)
    chance = rng.dirichlet(np.ones(kinds), crops).astype(np.float32).reshape(crops, kinds)
    dives = np.array([f"d{n % 3}" for n in range(crops)], object)
    rows = worth_a_look(unit, chance, dives, count=count)
    assert len(rows) == min(count, crops)
    assert len(set(rows.tolist())) == len(rows)


def test_the_uncertain_come_first_and_dives_take_turns() -> None:
    unit = np.tile(np.eye(3, dtype=np.float32), (4, 1))
    sure, torn = [0.98, 0.02], [0.51, 0.49]
    chance = np.array([torn if n % 3 == 0 else sure for n in range(12)], np.float32)
    dives = np.array([f"d{n // 6}" for n in range(12)], object)
    rows = worth_a_look(unit, chance, dives, count=12)
    assert rows[0] % 3 == 0
    assert dives[rows[0]] != dives[rows[1]]
