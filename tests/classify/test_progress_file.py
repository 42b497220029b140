import json
from pathlib import Path

import pytest

from classify.console import stages, working
from classify.progress_file import ProgressFile


def test_a_command_writes_how_far_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "progress"
    monkeypatch.setenv("DISCOVER_PROGRESS", str(file))
    with stages(silent=True) as begin:
        advance = begin("cutting")
        assert json.loads(file.read_text()) == {"label": "cutting", "done": None, "total": None}
        for done in range(1, 501):
            advance(done, 500)
        assert json.loads(file.read_text()) == {"label": "cutting", "done": 500, "total": 500}
    with working("learning") as say_next:
        say_next("drawing the curve")
        assert json.loads(file.read_text())["label"] == "drawing the curve"
    assert list(tmp_path.iterdir()) == [file]


def test_nothing_is_written_unless_a_file_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DISCOVER_PROGRESS", raising=False)
    monkeypatch.chdir(tmp_path)
    with stages(silent=True) as begin:
        begin("cutting")(1, 2)
    assert list(tmp_path.iterdir()) == []


def test_few_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("classify.progress_file.time.monotonic", lambda: 7.0)  # time stands still
    file = ProgressFile(tmp_path / "progress")
    for done in range(1, 100):
        file.write("cutting", done, 100)
    assert json.loads((tmp_path / "progress").read_text())["done"] == 1
    file.write("cutting", 100, 100)
    assert json.loads((tmp_path / "progress").read_text())["done"] == 100
