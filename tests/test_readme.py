"""What the README tells a newcomer to type is accepted, and its Python runs."""

import re
import shlex
from pathlib import Path

import pytest
from PIL import Image

from classify.cli import app as classify_app
from discover.cli import app as discover_app

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", README, flags=re.S)
COMMANDS = [
    line.split("#")[0].strip()
    for kind, block in BLOCKS
    if kind == "bash"
    for line in block.splitlines()
    if line.startswith(("classify ", "discover "))
]


@pytest.mark.parametrize("line", COMMANDS)
def test_a_command_of_the_readme_is_understood(line: str) -> None:
    program, *tokens = shlex.split(line)
    app = {"classify": classify_app, "discover": discover_app}[program]
    app.parse_args(tokens, exit_on_error=False, print_error=False)


def test_every_verb_of_the_main_job_is_shown() -> None:
    assert {line.split()[1] for line in COMMANDS} >= {"train", "add", "embed", "cluster", "explore"}


def test_the_python_of_the_readme_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "footage" / "dive1").mkdir(parents=True)
    Image.new("RGB", (64, 48)).save(tmp_path / "footage" / "dive1" / "a.jpg")
    monkeypatch.chdir(tmp_path)
    for kind, block in BLOCKS:
        if kind == "python":
            exec(compile(block, "README.md", "exec"), {})
    assert "1 frames" in capsys.readouterr().out


def test_pictures_and_files_that_the_readme_names_are_there() -> None:
    for target in re.findall(r"\]\((?!http)([^)]+)\)", README):
        assert (ROOT / target).is_file(), target
