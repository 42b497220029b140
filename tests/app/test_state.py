"""What stands is the same however it is read: from the start, or event by event."""

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.crops.state import Standing, group_number, group_text
from app.crops.verdicts import decide
from app.data import ClassRun, Explorer
from discover.annotate import states
from discover.naming.groups import Groups
from discover.survey import Survey
from tests.app.survey_on_disk import RUNS, build

ACTIONS = ["name", "clear", "reject", "validate", "split", "flag", "unflag", "undo", "redo", "move"]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Survey:
    return build(tmp_path_factory.mktemp("state") / "survey")


@given(st.integers(-1, 10_000) | st.integers(-10_000, -2))
def test_a_group_has_a_number_of_its_own(number: int) -> None:
    assert group_number(group_text(number)) == number


def _columns(explorer: Explorer, run: ClassRun) -> pd.DataFrame:
    names = ["crop_id", "group", "label", "name", "origin", "validated", "flag"]
    found = explorer.crops(run)[names].set_index("crop_id")
    return found.astype(object).where(found.notna(), None)


@pytest.mark.parametrize("seed", range(4))
def test_following_events_is_reading_them_anew(built: Survey, seed: int) -> None:
    import random

    draw = random.Random(seed)
    explorer = Explorer(built, f"mara-{seed}")
    run = explorer.class_run(RUNS["waste"])
    assert run is not None
    crops = explorer.crops(run)["crop_id"].tolist()
    for _ in range(25):
        some = draw.sample(crops, draw.randint(1, 6))
        verdict = {"action": draw.choice(ACTIONS), "target": {"run": run.name, "crops": some},
                   "name": draw.choice(["can", "bag", "a > b"]), "to": "1"}  # fmt: skip
        decide(explorer, verdict)
        followed = _columns(explorer, run)
    anew = Explorer(built)
    assert followed.equals(_columns(anew, run))
    with explorer.labels.read() as reader:
        told = states(reader, Groups.on(explorer.found(run), reader))
    own = followed.reindex(told.index)
    numbers = told["group"].str.rpartition("/")[2].map(group_number)
    assert (own["group"] == numbers).all()
    assert (own["validated"] == told["validated"]).all()
    assert (own["flag"].fillna("") == told["flag"].fillna("")).all()
    decided = explorer.labels.decided().set_index("crop_id")["label"]
    labels = own["label"].dropna()
    assert labels.sort_index().equals(decided.reindex(sorted(labels.index)).astype(object))
    explorer.labels.close()
    anew.labels.close()


def test_an_earlier_state_can_be_asked_for(explorer: Explorer) -> None:
    run = explorer.class_run(RUNS["waste"])
    assert run is not None
    crops = explorer.crops(run)["crop_id"].tolist()
    explorer.labels.name(crops[:2], "can", annotator="mara")
    then, event = explorer.crops(run), explorer.labels.last_event_id()
    explorer.labels.name(crops[1:5], "bag", annotator="mara")
    explorer.labels.undo(annotator="mara")
    explorer.labels.name(crops, "rope", annotator="mara")
    asked = explorer.crops_after(run, event)
    assert asked["name"].astype(object).equals(then["name"].astype(object))
    assert explorer.crops(run)["name"].eq("rope").all()


def test_a_name_that_is_renamed_reads_anew_without_a_verdict(explorer: Explorer) -> None:
    from discover.naming import subcategories
    from discover.naming.events import By

    run = explorer.class_run(RUNS["waste"])
    assert run is not None
    explorer.labels.name(explorer.crops(run)["crop_id"].head(2), "can", annotator="mara")
    assert explorer.crops(run)["name"].notna().sum() == 2
    with explorer.labels.write() as writer:
        subcategories.rename(writer, "can", "drinks can", By("mara"))
    assert set(explorer.crops(run)["name"].dropna()) == {"drinks can"}


def test_rejected_crops_have_a_label_and_no_name(explorer: Explorer) -> None:
    run = explorer.class_run(RUNS["waste"])
    assert run is not None
    table = explorer.crop_table(run)
    decide(explorer, {"action": "reject", "target": {"run": run.name, "group": "0"}})
    crops = explorer.crops(run)
    own = crops["group"] == 0
    assert crops.loc[own, "label"].eq("rejected").all()
    assert crops["name"].isna().all()
    clusters = table.crops["cluster"].to_numpy()
    assert isinstance(explorer.standing(run), Standing)
    assert (crops["group"].to_numpy() == clusters).all()
