import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from discover.cli import app


def _run(*tokens: str, code: int = 0, **environment: str) -> subprocess.CompletedProcess[str]:
    result = subprocess.run(
        [sys.executable, "-c", "from discover.cli import main; main()", *tokens],
        capture_output=True,
        text=True,
        env={**os.environ, "COLUMNS": "300", **environment},
        timeout=240,
    )
    assert result.returncode == code, result.stderr + result.stdout
    assert "Traceback" not in result.stderr
    return result


def _here(*tokens: str) -> None:
    """Run a command in this process, which has PyTorch and UMAP already."""
    app(list(tokens), result_action="return_value")


@pytest.fixture
def images(tmp_path: Path) -> Path:
    for dive in ("d1", "d2"):
        (tmp_path / "footage" / dive).mkdir(parents=True)
        for number in range(8):
            colour = (number * 30, 90, 200 if dive == "d1" else 20)
            Image.new("RGB", (80, 60), colour).save(tmp_path / "footage" / dive / f"{number}.png")
    (tmp_path / "footage" / "d2" / "torn.jpg").write_bytes(b"\xff\xd8\xff")
    return tmp_path / "footage"


@pytest.mark.parametrize(
    "command",
    ["add", "bursts", "embed", "cluster", "split", "leaks", "counts", "explore", "demo", "status"],
)
def test_the_help_of_every_command_has_an_example(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        app([command, "--help"])
    assert stopped.value.code == 0
    assert f"Example: discover {command}" in capsys.readouterr().out


def test_the_main_job_without_a_classifier(
    images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    survey = str(tmp_path / "s")
    added = _run("add", str(images), "--survey", survey)
    assert "16 frames added, 0 known before, 1 unreadable" in added.stdout
    assert "torn.jpg: " in added.stdout
    again = json.loads(_run("add", str(images), "--survey", survey, "--json").stdout)
    assert (again["new"], again["known"], len(again["rejected"])) == (0, 16, 1)
    assert "next: discover bursts" in _run("status", "--survey", survey).stdout
    assert "16 frames of 2 dives in " in _run("bursts", "--survey", survey).stdout
    assert "next: discover embed" in _run("status", "--survey", survey).stdout
    made = json.loads(
        _run("embed", "--whole-frame", "--size", "64", "--json", DISCOVER_SURVEY=survey).stdout
    )
    assert made["crops"] == 16
    part = ["embed", "--crops", "latest", "--size", "64", "--background", "mean", "--json"]
    halves = []
    for n in (2, 1):
        _here(*part, "--shard", f"{n}/2", "--survey", survey)
        halves.append(json.loads(capsys.readouterr().out))
    assert [half["run"] for half in halves] == [halves[0]["run"]] * 2 != [made["run"]] * 2
    assert halves[1]["complete"]
    assert (halves[1]["crops"], halves[1]["crops_run"]) == (16, made["crops_run"])
    _here("cluster", "--class", "frame", "--min-size", "4", "--survey", survey)
    found = capsys.readouterr().out
    assert "16 crops of class frame from 2 dives" in found
    assert "next: discover explore" in found
    status = json.loads(_run("status", "--survey", survey, "--json").stdout)
    assert status["next"] == "discover explore"
    assert [run["complete"] for run in status["clusters"]] == [True]


@pytest.mark.parametrize(
    ("tokens", "words"),
    [
        (["add"], ["PATH", "discover add"]),
        (["add", "no-such-folder"], ["PATH no-such-folder", "does not exist"]),
        (["embed"], ["--model RUN", "--boxes COCO.json", "--whole-frame"]),
        (["embed", "--whole-frame"], ["--survey", "discover add"]),
        (["embed", "--whole-frame", "--boxes", "b.json"], ["--model", "--boxes", "--whole-frame"]),
        (["embed", "--whole-frame", "--shard", "4/3"], ["--shard '4/3'", "from 1/8 to 8/8"]),
        (["embed", "--whole-frame", "--pooled"], ["--pooled", "--model"]),
        (["embed", "--crops", "latest"], ["no crops", "discover embed"]),
        (["cluster", "--class", "waste", "--min-size", "few"], ["--min-size 'few'", "auto"]),
        (["explore", "--survey", "nowhere"], ["--survey nowhere", "discover add"]),
    ],
)
def test_an_error_is_one_line_with_argument_value_and_remedy(
    tokens: list[str], words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    if tokens[0] == "cluster" or "--crops" in tokens or "--shard" in tokens:
        (tmp_path / "survey.toml").touch()
    result = _run(*tokens, code=1)
    lines = [line for line in result.stderr.splitlines() if line.strip()]
    assert len(lines) == 1
    assert lines[0].startswith("error: ")
    assert all(word in lines[0] for word in words), lines[0]


def test_the_page_is_not_served_to_the_network(images: Path, tmp_path: Path) -> None:
    survey = str(tmp_path / "s")
    _run("add", str(images), "--survey", survey)
    result = _run("explore", "--host", "0.0.0.0", "--survey", survey, code=1)
    assert "--host 0.0.0.0" in result.stderr


def test_settings_come_from_file_and_environment_and_the_command_line_wins(
    images: Path, tmp_path: Path
) -> None:
    survey = tmp_path / "s"
    _run("add", str(images), "--survey", str(survey))
    tokens = ("cluster", "--class", "frame", "--survey", str(survey))
    settings = survey / "survey.toml"
    settings.write_text('[cluster]\nmin-size = "few"\n')
    # values that are refused, since the error names the value that was taken
    assert "--min-size 'few'" in _run(*tokens, code=1).stderr
    from_environment = _run(*tokens, code=1, DISCOVER_CLUSTER_MIN_SIZE="fewer")
    assert "--min-size 'fewer'" in from_environment.stderr
    wins = _run(*tokens, "--min-size", "fewest", code=1, DISCOVER_CLUSTER_MIN_SIZE="fewer")
    assert "--min-size 'fewest'" in wins.stderr
    settings.write_text('[cluster]\nmin-sise = "4"\n')
    misspelt = _run(*tokens, code=2)
    assert "min-sise" in misspelt.stdout + misspelt.stderr


def test_settings_that_are_no_toml_are_named(tmp_path: Path) -> None:
    (tmp_path / "survey.toml").write_text("cluster\n")
    done = _run("cluster", "--class", "x", "--survey", str(tmp_path), code=1)
    assert f"{tmp_path / 'survey.toml'} is not TOML" in done.stderr
