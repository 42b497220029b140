import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from PIL import Image

from classify.cli import app
from classify.console import run as run_app
from discover import frames
from discover.frames import add_frames
from discover.survey import open_survey
from tests.classify.conftest import draw_labelled

COMMANDS = ("train", "evaluate", "robustness", "predict", "explain", "adapt")
Printed = Callable[..., str]


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folders elements/<class>/<dive>/ of images, as people keep them."""
    folder = tmp_path_factory.mktemp("labelled")
    table = draw_labelled(folder / "drawn", images=32)
    for row in table.to_dict("records"):
        target = folder / "elements" / row["element"] / row["dive"] / row["image"]
        target.parent.mkdir(parents=True, exist_ok=True)
        (folder / "drawn" / row["image"]).rename(target)
    return folder / "elements"


@pytest.fixture(scope="module")
def model(images: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run folder, written by the command."""
    out = tmp_path_factory.mktemp("trained") / "elements"
    _ok(
        "train", "elements", str(images), "--weights", "bundled", "--size", "64", "64",
        "--strength", "0.01", "--out", str(out),
    )  # fmt: skip
    return out


@pytest.fixture
def fresh(tmp_path: Path) -> Path:
    """A folder of four images of a new dive, with a table of their labels."""
    table = draw_labelled(tmp_path / "fresh", images=4, seed=7).assign(dive="new")
    table.to_csv(tmp_path / "fresh" / "t.csv", index=False)
    return tmp_path / "fresh"


def _ok(*tokens: str) -> None:
    with pytest.raises(SystemExit) as stopped:
        run_app(app, list(tokens))
    assert stopped.value.code == 0


@pytest.fixture
def printed(capsys: pytest.CaptureFixture[str]) -> Printed:
    """Run a command that must succeed; give what it prints on standard output."""

    def ran(*tokens: object) -> str:
        capsys.readouterr()
        _ok(*map(str, tokens))
        return capsys.readouterr().out

    return ran


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_of_every_command_has_an_example(command: str, printed: Printed) -> None:
    assert f"Example: classify {command}" in printed(command, "--help")


def test_the_command_that_is_installed_is_this_one() -> None:
    found = subprocess.run(
        [Path(sys.executable).with_name("classify"), "--help"],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert found.returncode == 0
    assert all(command in found.stdout for command in COMMANDS)


def test_training_says_how_good_and_how_inflated_a_random_split_is(
    images: Path, model: Path, printed: Printed
) -> None:
    again = printed(
        "train", "elements", images, "--weights", "bundled", "--size", "64", "64",
        "--strength", "0.01", "--out", model,
    )  # fmt: skip
    assert "32 images; scores are on dives that it was not trained on" in again
    assert "balanced accuracy  1.000" in again
    assert "leak: a plain head, trained and tested on a random split" in again
    assert str(model) in again.splitlines()[-1]


def test_training_of_several_settings_at_once_as_json(
    images: Path, printed: Printed, tmp_path: Path
) -> None:
    found = json.loads(
        printed(
            "train", "elements", images, "--backbone", "mobilenetv3_small_050", "--weights", "none",
            "--size", "64", "96", "--strength", "0.1", "--crop", "0.8", "--crop-width", "0.5",
            "--pool", "topk", "--levels", "2", "--split", "random", "--fold", "1", "--seed", "4",
            "--out", tmp_path / "run", "--json",
        )
    )  # fmt: skip
    assert found["run"] == str(tmp_path / "run")
    assert found["strengths"] == {"elements": 0.1}
    config = json.loads((tmp_path / "run" / "run.json").read_text())["config"]
    wanted = {
        "height": 64, "width": 96, "crop_height": 0.8, "crop_width": 0.5, "pool": "topk",
        "levels": 2, "locator": False, "backbone": "mobilenetv3_small_050",
    }  # fmt: skip
    assert wanted.items() <= config["model"].items()
    assert {"split": "random", "fold": 1, "seed": 4}.items() <= config["train"].items()


def test_evaluation_of_the_held_out_images_and_of_others(
    model: Path, fresh: Path, printed: Printed
) -> None:
    own = printed("evaluate", model)
    assert "balanced accuracy  1.000" in own
    assert "leak: " in own
    other = printed("evaluate", model, fresh / "t.csv")
    assert "elements: 4 images" in other
    assert "leak: " not in other
    found = json.loads(printed("evaluate", model, fresh / "t.csv", "--json"))
    assert found["elements"]["confusion"] == [[2, 0], [0, 2]]


def test_prediction_of_folders_counts_the_classes(
    model: Path, fresh: Path, printed: Printed
) -> None:
    (fresh / "torn.jpg").write_bytes(b"torn")
    out = fresh / "p.parquet"
    lines = printed("predict", fresh, "--model", model, "--out", out).splitlines()
    assert lines[0] == "1 images could not be read"
    assert [line.split()[:2] for line in lines[2:4]] == [["fauna", "2"], ["waste", "2"]]
    assert str(out) in lines[-1]
    assert len(pd.read_parquet(out)) == 5
    found = json.loads(
        printed("predict", fresh, "--model", model, "--out", fresh / "p.csv", "--json")
    )
    assert found == {"predictions": str(fresh / "p.csv"), "rows": 5}


def test_prediction_of_a_survey_goes_into_it(
    model: Path, fresh: Path, printed: Printed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(frames, "CHUNK", 3)
    survey = open_survey(tmp_path / "survey", create=True)
    add_frames(survey, [fresh])
    found = json.loads(printed("predict", tmp_path / "survey", "--model", model, "--json"))
    assert found["rows"] == 4
    assert Path(found["predictions"]).parent == survey.root / "predictions"
    assert len(list(Path(found["predictions"]).glob("*.parquet"))) == 2
    assert not (tmp_path / "predictions.csv").exists()


def test_explanation_writes_a_picture_an_image(model: Path, fresh: Path, printed: Printed) -> None:
    out = fresh / "why"
    lines = printed("explain", model, fresh / "0.png", fresh / "1.png", "--out", out).splitlines()
    assert lines[-1] == f"2 pictures in {out}"
    assert [line.split()[1] for line in lines[:-1]] == ["waste", "fauna"]
    found = json.loads(
        printed(
            "explain", model, fresh / "0.png", "--class", "fauna", "--method", "grad-cam",
            "--out", out, "--json",
        )
    )  # fmt: skip
    assert found[0]["class"] == "fauna"
    assert found[0]["probability"] < 0.5
    assert Image.open(found[0]["picture"]).size == (96, 96)


def test_explanation_shows_the_augmentation(model: Path, fresh: Path, printed: Printed) -> None:
    out = fresh / "why"
    tokens = ("explain", model, fresh, "--augmentations", "--augment", "0.5", "--out", out)
    assert printed(*tokens) == f"contact sheet: {out / 'augmentations.jpg'}\n"
    sheet = json.loads(printed(*tokens, "--json"))["sheet"]
    assert Image.open(sheet).width > 6 * 64


def test_adaptation_says_what_it_took_in(model: Path, fresh: Path, printed: Printed) -> None:
    out = fresh / "adapted"
    lines = printed("adapt", model, "--labels", fresh / "t.csv", "--out", out).splitlines()
    assert lines[0] == "4 labelled images of 1 dives taken in"
    assert lines[1].split()[-1] == "1.000"
    assert lines[-1] == f"run folder: {out}"
    found = json.loads(printed("adapt", out, "--labels", fresh / "t.csv", "--json"))
    assert found["run"] == f"{out}-adapted"
    assert found["images"] == 4


def test_robustness_prints_a_line_a_change(model: Path, printed: Printed) -> None:
    lines = printed("robustness", model).splitlines()
    assert lines[0] == "elements"
    assert lines[1].split() == ["clean", "1.000", "+0.000"]
    assert any(line.split()[:3] == ["JPEG", "quality", "10"] for line in lines)
    assert lines[-1] == f"figure: {model / 'robustness.html'}"
    rows: list[dict[str, Any]] = json.loads(printed("robustness", model, "--json"))
    assert len(rows) == len(lines) - 2
    assert (rows[0]["change"], rows[0]["lost"]) == ("clean", 0)


@pytest.mark.parametrize(
    ("tokens", "words"),
    [
        (["train", "elements", "gone"], ["DATA gone", "neither a folder"]),
        (["train", "elements", "{fresh}/t.csv", "--weights", "none"], ["DATA", "one dive only"]),
        (["train", "elements", "{images}", "--batch", "0"], ["--batch 0", "from 1"]),
        (["train", "elements", "{images}", "--crop", "2"], ["--crop 2", "at most 1"]),
        (["train", "elements", "{images}", "--validation", "0.9"], ["--validation 0.9", "0.5"]),
        (["train", "elements", "{images}", "--fold", "9"], ["--fold 9", "folds 0 to 3"]),
        (
            ["train", "elements", "{images}", "--backbone", "resnett", "--weights", "none"],
            ["--backbone 'resnett'", "is not a timm model"],
        ),
        (
            ["train", "elements", "{images}", "--weights", "bundled", "--out", "{model}"],
            ["--out", "other settings", "another folder"],
        ),
        (["evaluate", "gone"], ["gone", "is not a run folder"]),
        (["evaluate", "{model}", "{fresh}"], ["DATA {fresh}", "one folder per class"]),
        (["robustness", "gone"], ["gone", "is not a run folder"]),
        (["predict", "{fresh}", "--model", "gone"], ["gone", "is not a run folder"]),
        (["predict", "gone", "--model", "{model}"], ["IMAGES gone", "neither a file"]),
        (
            ["predict", "gone", "--model", "{model}", "--out", "p.xlsx"],
            ["--out p.xlsx", ".csv or .parquet"],
        ),
        (["explain", "{model}", "{fresh}", "--method", "cams"], ["--method 'cams'", "grad-cam"]),
        (["explain", "{model}", "{fresh}", "--class", "kelp"], ["--class 'kelp'", "fauna, waste"]),
        (
            ["explain", "{model}", "{fresh}", "--augmentations", "--augment", "3"],
            ["--augment 3", "0 to 2"],
        ),
        (["adapt", "{model}", "--labels", "gone.csv"], ["gone.csv", "neither a folder"]),
        (
            ["adapt", "{model}", "--labels", "{fresh}/t.csv", "--out", "{model}"],
            ["--out {model}", "exists already"],
        ),
    ],
)
def test_an_error_is_one_line_that_names_the_argument(
    tokens: list[str],
    words: list[str],
    images: Path,
    model: Path,
    fresh: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    places = {"images": images, "model": model, "fresh": fresh}
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(SystemExit) as stopped:
        run_app(app, [token.format(**places) for token in tokens])
    assert stopped.value.code == 1
    lines = [line for line in capsys.readouterr().err.splitlines() if line.strip()]
    assert len(lines) == 1
    assert lines[0].startswith("error: ")
    assert all(word.format(**places) in lines[0] for word in words), lines[0]
    assert [path for path in sorted(tmp_path.rglob("*")) if path.is_file()] == [
        path for path in before if path.is_file()
    ]


def test_settings_come_from_file_and_environment_and_the_command_line_wins(
    fresh: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refused(*tokens: str) -> str:
        with pytest.raises(SystemExit):
            run_app(app, ["predict", str(fresh), *tokens])
        return capsys.readouterr().err

    monkeypatch.chdir(tmp_path)
    (tmp_path / "classify.toml").write_text('[predict]\nmodel = "of-file"\n')
    assert "of-file is not a run folder" in refused()
    monkeypatch.setenv("CLASSIFY_PREDICT_MODEL", "of-environment")
    assert "of-environment is not a run folder" in refused()
    assert "of-line is not a run folder" in refused("--model", "of-line")
