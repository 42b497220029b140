import json
from pathlib import Path

import pytest

from classify.errors import UserError
from discover.cli import app
from discover.labels import Labels, labels_so_far
from discover.survey import Survey
from tests.discover.tables_by_hand import add_run, make_survey

CROPS = ["k0", "f0", "k1", "k2"]


@pytest.fixture
def survey(tmp_path: Path) -> Survey:
    made = make_survey(tmp_path / "s", {"d": 4})
    sources = [None, "k0", None, None]
    add_run(
        made, "clusters", "waste-1", crop_id=CROPS, cluster=[0, 0, 1, -1], inherited_from=sources
    )
    add_run(made, "crops", "r", crop_id=CROPS, frame_id=[f"d/{n:02d}" for n in range(4)])
    return made


@pytest.fixture
def say(survey: Survey, capsys: pytest.CaptureFixture[str]):  # noqa: ANN201
    """Return what runs `discover label ...` and gives back what it printed."""

    def run(*tokens: str) -> str:
        app(["label", *tokens, "--survey", str(survey.root)], result_action="return_value")
        return capsys.readouterr().out

    return run


def _table(survey: Survey, text: str) -> str:
    file = survey.root / "verdicts.csv"
    file.write_text(text, encoding="utf-8")
    return str(file)


def _decided(survey: Survey) -> dict[str, str]:
    labels = Labels(survey.labels_url)
    table = labels.decided()
    labels.close()
    return dict(zip(table["crop_id"], table["label"], strict=True))


def test_a_table_of_verdicts_its_undo_and_its_redo(survey: Survey, say) -> None:  # noqa: ANN001
    file = _table(
        survey,
        "action,crop,group,to,name,annotator\n"
        "name,,0,,waste > bag,\n"
        "split,f0,,,,jon\n"
        "reject,k1,,,,\n"
        "reject,k2,,,,\n",
    )
    said = say("apply", file, "--run", "waste-1", "--annotator", "eva")
    assert said == "3 events changed 5 crops; discover label undo takes back the last\n"
    after = {"f0": "bag", "k0": "bag", "k1": "rejected", "k2": "rejected"}
    assert _decided(survey) == after
    assert "eva: undo of 3, 2 crops as before" in say("undo", "--annotator", "eva")
    assert _decided(survey) == {"f0": "bag", "k0": "bag"}
    assert "nothing more to undo for eva" in say("undo", "--times", "9", "--annotator", "eva")
    assert _decided(survey) == {}
    undone = json.loads(say("redo", "--times", "2", "--annotator", "eva", "--json"))
    assert [event["action"] for event in undone] == ["redo", "redo"]
    assert _decided(survey) == after
    log = say("log", "--crop", "f0")
    assert "jon: split 1 crop (verdicts.csv)" in log
    assert "eva: name 'waste > bag' 2 crops (waste-1/0)" in log
    assert "k1" not in log
    assert len(json.loads(say("log", "--json"))) == 7
    assert "nothing was decided on crop z" in say("log", "--crop", "z")


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ("name,k0,,,bag\nshout,k1,,,\n", "row 3: action 'shout' is none of"),
        ("name,k0,,,bag\nname,k1,,,\n", "row 3: action 'name' needs a name"),
        ("name,k0,,,bag\nreject,,,,\n", "row 3: give either a crop or a group"),
        ("name,k0,,,bag\nreject,k9,,,\n", "row 3: crop 'k9' is not in the survey"),
        ("name,k0,,,bag\nreject,,7,,\n", "row 3: group '7' is not of run waste-1"),
        ("name,k0,,,bag\nmerge,,0,9,\n", "row 3: group '9' is not of run waste-1"),
        ("name,k0,,,bag\nreject,k1\n", "row 3: 2 values, but the header names 5"),
        ("name,k0,,,bag\nname,k1,,,ba\udce9g\n", "row 3 is not UTF-8"),
    ],
)
def test_a_wrong_row_is_named_and_nothing_is_kept(
    survey: Survey,
    say,  # noqa: ANN001
    rows: str,
    words: str,
) -> None:
    file = _table(survey, "")
    header = b"action,crop,group,to,name\n"
    Path(file).write_bytes(header + rows.encode("utf-8", "surrogateescape"))
    with pytest.raises(UserError, match=words):
        say("apply", file, "--run", "waste-1")
    assert _decided(survey) == {}


def test_a_table_without_verdicts_says_what_it_takes(survey: Survey, say) -> None:  # noqa: ANN001
    with pytest.raises(UserError, match="no column action: it takes action, crop, group"):
        say("apply", _table(survey, "image,label\na.jpg,bag\n"))
    with pytest.raises(UserError, match="group '0' needs a clustering: add --run NAME"):
        say("apply", _table(survey, "action,group\nreject,0\n"))


def test_the_tree_from_the_command_line(survey: Survey, say) -> None:  # noqa: ANN001
    assert "no subcategories yet" in say("tree", "show")
    say("tree", "add", "fauna > Asterias rubens", "--code", "AphiaID=123776")
    say("tree", "add", "waste > bag", "--colour", "#ff0000")
    say("apply", _table(survey, "action,crop,name\nname,k0,bag\n"))
    say("tree", "rename", "bag", "plastic bag")
    say("tree", "move", "Asterias rubens")
    assert say("tree", "show").splitlines() == [
        "      0  Asterias rubens  AphiaID=123776",
        "      0  waste",
        "      1    plastic bag",
    ]
    assert "jon" not in say("undo", "--times", "2")
    say("tree", "add", "sack")
    say("tree", "merge", "bag", "sack")
    shown = json.loads(say("tree", "show", "--json"))
    assert {tuple(row["path"]): row["crops"] for row in shown}["sack",] == 1
    assert "nothing changed" in say("tree", "add", "sack")
    with pytest.raises(UserError, match="--code 'x' is not NAME=CODE"):
        say("tree", "add", "sack", "--code", "x")


def test_labels_live_where_the_survey_or_the_environment_says(
    survey: Survey, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert survey.labels_url == f"sqlite:///{survey.root / 'labels.sqlite'}"
    (survey.root / "survey.toml").write_text('[labels]\nurl = "postgresql://eva@host/reef"\n')
    assert survey.labels_url == "postgresql://eva@host/reef"
    monkeypatch.setenv("DISCOVER_LABELS_URL", f"sqlite:///{tmp_path / 'other.sqlite'}")
    assert survey.labels_url.endswith("other.sqlite")


@pytest.mark.parametrize(
    "tokens",
    [
        *(["label", verb] for verb in ("apply", "undo", "redo", "log", "import")),
        *(["label", "tree", verb] for verb in ("show", "add", "rename", "move", "merge", "remove")),
        ["label", "tree", "import"],
        ["export"],
    ],
)
def test_the_help_of_every_command_has_an_example(
    tokens: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        app([*tokens, "--help"])
    assert stopped.value.code == 0
    assert f"Example: discover {' '.join(tokens)}" in capsys.readouterr().out


def test_reading_names_makes_no_file(survey: Survey) -> None:
    assert labels_so_far(survey).empty
    assert not (survey.root / "labels.sqlite").exists()
    labels = Labels(survey.labels_url)
    labels.name(["k0"], "bag", annotator="eva")
    labels.close()
    assert labels_so_far(survey)["name"].tolist() == ["bag"]
