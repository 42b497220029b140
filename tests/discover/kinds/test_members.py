from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from classify.runs import start_run
from discover.kinds.members import members, read_vectors, source_run
from discover.survey import Survey, SurveyError
from discover.tables import vectors_to_column
from tests.discover.vectors_by_hand import add_crops, groups, survey_of


@pytest.fixture
def survey(tmp_path: Path) -> Survey:
    return survey_of(tmp_path, groups()[0][:40])


def test_vectors_come_in_the_order_asked_for(survey: Survey) -> None:
    add_crops(survey, groups()[0][40:60], start=40, unit="v")
    ids = np.array([f"c{i:04d}" for i in (50, 3, 41, 0)], object)
    source = survey.run("embeddings")
    vectors = read_vectors(survey, source, ids)
    assert np.allclose(vectors, groups()[0][[50, 3, 41, 0]], atol=0.01)
    assert np.array_equal(
        read_vectors(survey, source, ids, lambda rows: rows[:, :2]), vectors[:, :2]
    )


def test_a_vector_that_is_not_finite_names_its_shard(survey: Survey) -> None:
    _write_vectors(survey, np.full((1, 32), np.nan), "w")
    with pytest.raises(
        SurveyError, match=r"w\.parquet has 1 vectors that are not finite.*x0.*embed"
    ):
        read_vectors(survey, survey.run("embeddings"), np.array(["c0000", "x0"], object))


def test_vectors_of_another_model_in_a_shard_are_refused(survey: Survey) -> None:
    _write_vectors(survey, np.ones((1, 16)), "w")
    with pytest.raises(SurveyError, match=r"w\.parquet has 16 numbers a vector, others 32"):
        read_vectors(survey, survey.run("embeddings"), np.array(["c0000", "x0"], object))


def test_a_missing_vector_is_told(survey: Survey) -> None:
    with pytest.raises(SurveyError, match="lacks the vectors of 1 crops, such as nobody"):
        read_vectors(survey, survey.run("embeddings"), np.array(["c0000", "nobody"], object))


def test_two_models_stand_side_by_side_over_the_same_crops(survey: Survey) -> None:
    column, described = vectors_to_column(np.ones((40, 8), np.float32))
    ids = [f"c{i:04d}" for i in range(40)]
    rows = pa.table({"crop_id": ids, "vector": column}).replace_schema_metadata(described)
    survey.table("embeddings", "other").write("u", rows)
    start_run(
        survey.run_folder("embeddings", "other"), command="embed", config={}, parents={"crops": "r"}
    ).complete(counts={})
    latest = source_run(survey, None, "waste")
    assert latest.name == "other"
    found = members(survey, latest, "waste", min_score=0).crops
    assert len(found) == 40
    assert read_vectors(survey, latest, found["crop_id"].to_numpy(object)).shape == (40, 8)
    assert source_run(survey, "r", "waste").name == "r"


def _write_vectors(survey: Survey, vectors: np.ndarray, unit: str) -> None:
    """Write vectors as they are, where the store's own writer would refuse them."""
    half = vectors.astype(np.float16)
    column = pa.array([row.tobytes() for row in half], pa.binary())
    ids = [f"x{i}" for i in range(len(half))]
    survey.table("embeddings", "r").write(unit, pa.table({"crop_id": ids, "vector": column}))
