import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from classify.errors import UserError
from discover.calibrate import _choose, box_of, calibrate, overlap
from discover.cli import app
from discover.cutting.regions import ClassifierRegions
from discover.saliency import CALIBRATION_FILE, SaliencyConfig, read_calibration
from discover.survey import SurveyError


@pytest.fixture
def run(model: Path, tmp_path: Path) -> Path:
    """A copy of the classifier's run, for a calibration of its own."""
    return Path(shutil.copytree(model, tmp_path / "run"))


def _few(boxes: Path, folder: Path, frames: int) -> Path:
    """Keep the objects of some frames, spread over the dives."""
    data = json.loads(boxes.read_text())
    step = max(1, len(data["images"]) // frames)
    kept = {image["id"] for image in data["images"][::step]}
    data["annotations"] = [a for a in data["annotations"] if a["image_id"] in kept]
    file = folder / "few.json"
    file.write_text(json.dumps(data))
    return file


def test_a_calibration_is_stored_and_taken_up(run: Path, boxes: Path, tmp_path: Path) -> None:
    before = ClassifierRegions(run).key
    few = _few(boxes, tmp_path, 12)
    steps: list[tuple[int, int]] = []
    done = calibrate(
        run, few, images=boxes.parent, progress=lambda now, total: steps.append((now, total))
    )
    assert steps[-1] == (done.frames, done.frames)
    assert done.objects >= 10
    assert done.dives == 3
    assert 0 <= done.before <= 1
    assert done.after >= done.before
    assert read_calibration(run) == done.config
    stored = json.loads((run / CALIBRATION_FILE).read_text())
    assert stored["iou"]["left_out"] == done.left_out
    assert (ClassifierRegions(run).key == before) == (done.config == SaliencyConfig())
    assert calibrate(run, few, images=boxes.parent) == done  # what was stored has no say


def test_a_choice_must_be_better_on_dives_left_out() -> None:
    settings = [(0, SaliencyConfig()), (0, SaliencyConfig(peak=0.4)), (0, SaliencyConfig(peak=0.7))]
    dives = ["a"] * 4 + ["b"] * 1 + ["c"] * 2
    steady = np.array([[0.2, 0.3, 0.1]] * 7)
    config, before, left_out, after = _choose(steady, dives, settings)
    assert config.peak == 0.4
    assert (before, left_out, after) == pytest.approx((0.2, 0.3, 0.3))
    # each dive likes what the others do not: the one that is best on all is so by chance
    split = np.array([[0.2, 0.9, 0.0]] * 4 + [[0.2, 0.0, 0.5]] + [[0.2, 0.0, 0.35]] * 2)
    config, before, left_out, _ = _choose(split, dives, settings)
    assert config == SaliencyConfig()
    assert left_out < before


def test_overlap_of_masks_and_boxes() -> None:
    ring = np.zeros((9, 9), bool)
    ring[2:7, 2:7] = True
    ring[3:6, 3:6] = False
    assert box_of(ring).sum() == 25
    assert overlap(ring, box_of(ring)) == pytest.approx(16 / 25)
    assert overlap(ring, ring) == 1


def test_too_few_objects_and_missing_images_say_what_to_do(
    run: Path, boxes: Path, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match="box 10 at least, better 30"):
        calibrate(run, _few(boxes, tmp_path, 2), images=boxes.parent)
    with pytest.raises(UserError, match=r"images are not in .*: give their folder by --images"):
        calibrate(run, boxes, images=tmp_path)
    with pytest.raises(UserError, match=r"COCO .* cannot be read as JSON"):
        calibrate(run, tmp_path / "none.json")
    assert not (run / CALIBRATION_FILE).exists()


def test_bare_names_are_found_in_the_folders_of_their_dives(
    run: Path, boxes: Path, tmp_path: Path
) -> None:
    few = _few(boxes, tmp_path, 12)
    expected = calibrate(run, few, images=boxes.parent)
    data = json.loads(few.read_text())
    for image in data["images"]:  # as an export writes them where names are unique
        old = Path(image["file_name"])
        new = tmp_path / "all" / "footage" / old.parent / f"{old.parent.name}_{old.name}"
        new.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(boxes.parent / old, new)
        image["file_name"] = new.name
    few.write_text(json.dumps(data))
    assert calibrate(run, few, images=tmp_path / "all") == expected
    boxed = {annotation["image_id"] for annotation in data["annotations"]}
    name = next(i["file_name"] for i in data["images"] if i["id"] in boxed)
    (first,) = (tmp_path / "all").rglob(name)
    second = shutil.copy(first, tmp_path / "all" / "footage")
    with pytest.raises(SurveyError) as said:
        calibrate(run, few, images=tmp_path / "all")
    for words in (f"file_name {name!r} may be", str(first), str(second)):
        assert words in str(said.value)


def test_the_command_prints_before_and_after(
    run: Path, boxes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    few, images = str(_few(boxes, tmp_path, 12)), str(boxes.parent)
    tokens = ["calibrate", few, "--model", str(run), "--images", images]
    app(tokens, result_action="return_value")
    printed = capsys.readouterr().out
    assert "mean IoU before" in printed
    assert "dives left out" in printed
