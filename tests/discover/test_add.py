"""The command `discover add` says what happened, and leaves nothing behind where it failed."""

import json
from pathlib import Path

import pytest

from classify.console import run
from discover.cli import app
from tests.discover.footage.made import damaged, save, write_video


def _add(*tokens: str | Path) -> int:
    with pytest.raises(SystemExit) as left:
        run(app, ["add", *map(str, tokens)])
    return int(left.value.code or 0)


@pytest.mark.parametrize(
    ("tokens", "message"),
    [
        (["gone"], "PATH gone does not exist"),
        (["f", "--every", "often"], "--every 'often' is no sampling"),
        (["f", "--dive-from", "(x"], "--dive-from '(x' is no regular expression"),
        (["f", "--metadata", "gone.csv"], "--metadata gone.csv: No such file"),
        (["f", "--navigation", "gone.csv"], "--navigation gone.csv: No such file"),
        (["f", "--time-from", "%Y"], "--time-from '%Y'"),
        (["f", "--max-gap", "0"], "--max-gap 0 is no time"),
        (["f", "--utc-offset", "2"], "--utc-offset '2'"),
        ([], "PATH is missing"),
    ],
)
def test_a_wrong_argument_leaves_no_survey_behind(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tokens: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    save(Path("f") / "a.jpg", 0)
    assert _add(*tokens, "--survey", "survey") == 1
    assert message in capsys.readouterr().err.replace("\n", " ")
    assert not Path("survey").exists()


def test_what_was_lost_unreadable_or_unplaced_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "f"
    sound = write_video(tmp_path / "20240506_070000.mp4", 100)
    damaged(sound, folder / sound.name, size=4000)
    (folder / "no.mp4").write_text("no video")
    save(folder / "undated.jpg", 0)
    log = tmp_path / "nav.csv"
    log.write_text("time,lat\n2024-05-06 07:00:00,1\n2024-05-06 07:00:01,2\n")
    listed = tmp_path / "m.csv"
    listed.write_text("filename,lat\nundated.jpg,1\nother.jpg,2\n")
    arguments = [folder, "--survey", tmp_path / "s", "--navigation", log, "--metadata", listed]
    assert _add(*arguments, "--every", "5f") == 0
    said = capsys.readouterr().out
    assert "1 unreadable\n  no.mp4: not a video" in said
    assert " of 20 sampled from 100" in said
    assert "LOST to damage: " in said
    assert "starts 2024-05-06 07:00:00 UTC by its name" in said
    assert "in --metadata, not given here: 1, as other.jpg" in said
    assert "added, not in --metadata: " in said
    assert "added, without a time to look up in --navigation: 1" in said
    assert "added, outside --navigation or in a gap of it: " in said
    assert "keep the metadata" not in said
    _add(*arguments, "--every", "5f", "--json")
    result = json.loads(capsys.readouterr().out)
    assert result["new"] == 0
    assert result["videos"][0]["lost"] > 0
    _add(*arguments)
    assert "known before, so they keep the metadata they had: " in capsys.readouterr().out
