import json
from pathlib import Path

import pytest

from discover.cli import main
from discover.cutting.regions import BoxRegions
from discover.embed import embed
from discover.survey import Survey


def _listed(survey: Survey, what: str, capsys: pytest.CaptureFixture[str]) -> list[dict]:
    with pytest.raises(SystemExit) as ended:
        main_with(["similar", what, "--most", "5", "--survey", str(survey.root), "--json"])
    assert ended.value.code in (0, None)
    return json.loads(capsys.readouterr().out)


def main_with(tokens: list[str]) -> None:
    from unittest.mock import patch

    with patch("sys.argv", ["discover", *tokens]):
        main()
        raise SystemExit(0)


def test_the_like_of_a_crop_and_of_its_own_picture(
    survey: Survey, boxes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import cv2

    run = embed(survey, BoxRegions(boxes))
    crop = survey.crops_of(run).read().to_pylist()[0]
    like = _listed(survey, crop["crop_id"], capsys)
    assert len(like) == 5
    assert crop["crop_id"] not in [row["crop_id"] for row in like]
    assert [r["similarity"] for r in like] == sorted((r["similarity"] for r in like), reverse=True)

    frames = survey.frames.read(["frame_id", "path"]).to_pylist()
    path = next(f["path"] for f in frames if f["frame_id"] == crop["frame_id"])
    x, y, w, h = (crop[name] for name in "xywh")
    picture = cv2.imread(str(survey.frame_path(path)))[y : y + h, x : x + w]
    cv2.imwrite(str(tmp_path / "thing.png"), picture)
    rows = _listed(survey, str(tmp_path / "thing.png"), capsys)
    assert len(rows) == 5
    assert all(-1 <= row["similarity"] <= 1 for row in rows)


def test_what_is_neither_is_said(
    survey: Survey, boxes: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    embed(survey, BoxRegions(boxes))
    with pytest.raises(SystemExit) as ended:
        main_with(["similar", "nothing", "--survey", str(survey.root)])
    assert ended.value.code not in (0, None)
    assert "neither an image file nor a crop" in capsys.readouterr().err
