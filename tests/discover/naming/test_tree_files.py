import json
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from discover.labels import LabelError, Labels
from discover.naming.events import By
from discover.naming.tree_files import import_tree, read_tree


@pytest.fixture
def labels() -> Iterator[Labels]:
    opened = Labels("sqlite://")
    yield opened
    opened.close()


def _bring(labels: Labels, file: Path) -> dict[str, tuple[str | None, dict[str, str]]]:
    with labels.write() as writer:
        import_tree(writer, file, By("eva"))
    tree = labels.tree()
    return {" > ".join(tree.path(n.id)): (n.colour, dict(n.codes)) for n in tree.walk()}


def _biigle(file: Path, rows: str) -> Path:
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("label_tree.json", json.dumps({"id": 1, "name": "Reef"}))
        archive.writestr("labels.csv", "id,name,parent_id,color,label_tree_id,source_id\n" + rows)
    return file


def test_a_biigle_label_tree(labels: Labels, tmp_path: Path) -> None:
    file = _biigle(
        tmp_path / "t.zip", '7,Asterias rubens,3,ff0000,1,123776\n3,Fauna,"",00ff00,1,\n'
    )
    expected = {
        "Fauna": ("#00ff00", {}),
        "Fauna > Asterias rubens": ("#ff0000", {"AphiaID": "123776"}),
    }
    assert _bring(labels, file) == expected
    assert _bring(labels, file) == expected  # the same file twice adds nothing
    assert len(labels.history()) == 1
    labels.undo(annotator="eva")
    assert labels.tree().walk() == []


def test_a_table_with_names_and_parents_whose_further_columns_are_codes(
    labels: Labels, tmp_path: Path
) -> None:
    file = tmp_path / "t.csv"
    file.write_text(
        "\ufeffName;Parent;Colour;J-code;CATAMI\nbag;plastic;#123456;J3;\nplastic;;;;80600000\n",
        encoding="utf-8",
    )
    assert _bring(labels, file) == {
        "plastic": (None, {"CATAMI": "80600000"}),
        "plastic > bag": ("#123456", {"J-code": "J3"}),
    }


def test_a_list_and_a_table_of_paths_join_what_is_there(labels: Labels, tmp_path: Path) -> None:
    labels.name(["a"], "waste > bag", annotator="eva")
    file = tmp_path / "t.txt"
    file.write_text("waste > rope\n\nStarfish\n", encoding="utf-8")
    _bring(labels, file)
    file.write_text("path,AphiaID\nwaste > rope > net,\nStarfish,123776\n", encoding="utf-8")
    assert list(_bring(labels, file)) == [
        "Starfish", "waste", "waste > bag", "waste > rope", "waste > rope > net",
    ]  # fmt: skip
    assert labels.names()["name"].tolist() == ["bag"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("name,parent\na,b\nb,a\n", "row 2: 'a' lies below itself: mend its parent"),
        ("name,parent\na,z\n", "row 2: parent 'z' is not in the file"),
        ("name\na\nb\na\n", "row 4 repeats 'a' of row 2: leave one"),
        ("a\n a \n", "row 2 repeats 'a' of row 1"),
        ("name,colour\na,red\n", "row 2: colour 'red' is not one"),
        ("name,colour\na\n", "row 2 has 1 values, but the header names 2"),
        ("name,colour\n,#ffffff\n", "row 2: name is empty"),
        ("path\na >  > b\n", "row 2: name is empty"),
        ("", "has no subcategories"),
        (b"name\nok\ncaf\xe9\n", "row 3 is not UTF-8"),
    ],
)
def test_a_wrong_file_names_its_row_and_changes_nothing(
    labels: Labels, tmp_path: Path, content: str | bytes, words: str
) -> None:
    file = tmp_path / "t.csv"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(LabelError, match=words):
        _bring(labels, file)
    assert labels.last_event_id() == 0


def test_what_is_no_label_tree_is_said(tmp_path: Path) -> None:
    (tmp_path / "t.zip").write_bytes(b"no zip")
    with pytest.raises(LabelError, match=r"is no BIIGLE label tree, which is a ZIP"):
        read_tree(tmp_path / "t.zip")
    with pytest.raises(LabelError, match="No such file"):
        read_tree(tmp_path / "none.csv")
    circle = _biigle(tmp_path / "c.zip", "1,a,2,ff0000,1,\n2,b,1,ff0000,1,\n")
    with pytest.raises(LabelError, match=r"labels.csv: row 2: 'a' lies below itself"):
        read_tree(circle)
