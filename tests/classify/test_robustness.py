import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from classify.robustness import COLUMNS, changes, measure_robustness, robustness_lines
from classify.runs import Run, RunError
from classify.settings import TrainConfig
from classify.train import train
from tests.classify.conftest import SMALL, draw_labelled

KINDS = (
    "clean", "resolution", "JPEG quality", "blur, pixels", "haze", "brightness", "rotation",
    "ROV structure", "all together",
)  # fmt: skip


@pytest.fixture(scope="module")
def copied(elements_run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The classifier of elements, in a folder that may be written to."""
    folder = tmp_path_factory.mktemp("copied") / "elements"
    return Path(shutil.copytree(elements_run.path, folder))


@pytest.fixture(scope="module")
def measured(copied: Path) -> pd.DataFrame:
    return measure_robustness(copied)


def test_every_change_is_scored_after_the_clean_images(
    measured: pd.DataFrame, elements_run: Run
) -> None:
    assert tuple(measured.columns) == COLUMNS
    assert tuple(measured["change"].unique()) == KINDS
    assert measured["score"].between(0, 1).all()
    clean = measured.iloc[0]
    assert (clean["change"], clean["lost"]) == ("clean", 0)
    stored = elements_run.info["counts"]["validation"]["elements"]["balanced_accuracy"]
    assert clean["score"] == pytest.approx(stored, abs=0.1)  # within an image of twelve
    assert np.allclose(measured["lost"], clean["score"] - measured["score"], atol=2e-4)


def test_table_and_figure_are_in_the_run_folder(measured: pd.DataFrame, copied: Path) -> None:
    stored = pd.read_csv(copied / "robustness.csv", keep_default_na=False)
    pd.testing.assert_frame_equal(stored, measured, check_dtype=False)
    page = (copied / "robustness.html").read_text(encoding="utf-8")
    assert "JPEG quality" in page


def test_lines_for_a_person_name_every_change_once(measured: pd.DataFrame) -> None:
    lines = robustness_lines(measured)
    assert lines[0] == "elements"
    assert len(lines) == 1 + len(measured)
    assert all(
        kind in line and amount in line
        for line, kind, amount in zip(
            lines[1:], measured["change"], measured["amount"], strict=True
        )
    )


def test_changes_keep_the_size_and_harm_more_the_stronger_they_are() -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (48, 64, 3), np.uint8)
    harm: dict[str, list[float]] = {}
    for kind, _, change in changes():
        before = pixels.copy()
        changed = change(pixels)
        assert changed.shape == pixels.shape
        assert changed.dtype == np.uint8
        assert np.array_equal(pixels, before)
        assert np.array_equal(changed, change(pixels))  # the same every time
        harm.setdefault(kind, []).append(float(np.abs(changed.astype(int) - pixels).mean()))
    assert harm["clean"] == [0]
    assert all(min(values) > 0 for kind, values in harm.items() if kind != "clean")
    for kind in ("resolution", "JPEG quality", "blur, pixels", "haze"):
        assert harm[kind] == sorted(harm[kind])


def test_other_images_are_measured_in_place_of_those_held_out(copied: Path, tmp_path: Path) -> None:
    table = draw_labelled(tmp_path, images=4, seed=7)
    wrong = table.assign(element=table["element"].map({"waste": "fauna", "fauna": "waste"}))
    wrong.assign(dive="new").to_csv(tmp_path / "t.csv", index=False)
    assert measure_robustness(copied, tmp_path / "t.csv")["score"][0] == 0


def test_a_classifier_that_saw_all_images_needs_others(tmp_path: Path) -> None:
    draw_labelled(tmp_path, images=24).to_csv(tmp_path / "t.csv", index=False)
    run = train(
        tmp_path / "t.csv",
        tmp_path / "run",
        config=TrainConfig(strength=0.01, final=True),
        backbone="mobilenetv3_small_050",
        weights="none",
        **SMALL,
    )
    with pytest.raises(RunError, match=r"MODEL .*run was trained on all its images .* give DATA"):
        measure_robustness(run.path)
    assert not (run.path / "robustness.csv").exists()
