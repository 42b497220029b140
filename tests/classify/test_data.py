import zlib
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from classify import data
from classify.data import DataError


def _image(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    colour = zlib.crc32(str(path).encode())  # no two files alike
    Image.new("RGB", (8, 8), (colour & 255, colour >> 8 & 255, colour >> 16 & 255)).save(path)
    return path


def test_folders_of_classes_with_dives_below(tmp_path: Path) -> None:
    for name in ("basura/d1/a.jpg", "basura/d2/b.jpg", "Algas/d1/c.jpg"):
        _image(tmp_path / name)
    table = data.read_labels(tmp_path, tasks=("elements",))
    assert table["elements"].tolist() == ["algae", "waste", "waste"]
    assert table["dive"].tolist() == ["d1", "d1", "d2"]


def test_csv_with_the_tasks_own_column_and_images_beside(tmp_path: Path) -> None:
    _image(tmp_path / "images" / "a.jpg")
    _image(tmp_path / "b.jpg")
    (tmp_path / "t.csv").write_text(
        "image,video,element\na.jpg,v1,waste\nb.jpg,v2,fauna\nb.jpg,v2,\n"
    )
    table = data.read_labels(tmp_path / "t.csv", tasks=("elements",))
    assert table["elements"].tolist() == ["waste", "fauna"]
    assert table["dive"].tolist() == ["v1", "v2"]


def test_dive_from_the_path(tmp_path: Path) -> None:
    _image(tmp_path / "waste" / "dive07_001.jpg")
    _image(tmp_path / "fauna" / "dive08_001.jpg")
    table = data.read_labels(tmp_path, tasks=("elements",), dive_from=r"(dive\d+)_")
    assert sorted(table["dive"]) == ["dive07", "dive08"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("image,kind\na.jpg,waste\n", "needs the columns image and element"),
        ("image,label\na.jpg,waste\ngone.jpg,fauna\n", r"1 of 2 images are not there.*gone\.jpg"),
        ("image,label\na.jpg,waste\na.jpg,fauna\n", r"1 images have two labels.*fauna"),
    ],
)
def test_wrong_csv_names_the_fault(tmp_path: Path, text: str, message: str) -> None:
    _image(tmp_path / "a.jpg")
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(DataError, match=message):
        data.read_labels(tmp_path / "t.csv", tasks=("elements",))


def test_neither_folder_nor_csv(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="neither a folder"):
        data.read_labels(tmp_path / "nothing", tasks=("floor",))


def _table(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_parquet_is_read_like_csv(tmp_path: Path) -> None:
    _image(tmp_path / "a.jpg")
    rows = pd.DataFrame({"image": ["a.jpg"], "label": ["basura"], "dive": [7], "burst": [1]})
    rows.to_parquet(tmp_path / "t.parquet")
    table = data.read_labels(tmp_path / "t.parquet", tasks=("elements",))
    assert table.loc[0, ["elements", "dive", "burst"]].tolist() == ["waste", "7", "1"]


def test_two_tasks_from_two_half_labelled_tables(tmp_path: Path) -> None:
    for name in "abc":
        _image(tmp_path / f"{name}.jpg")
    floor = _table(tmp_path / "floor.csv", "image,label,dive\na.jpg,arenoso,d1\nb.jpg,fangoso,d2\n")
    elements = _table(tmp_path / "e.csv", "image,label,dive\nb.jpg,waste,d2\nc.jpg,fauna,d3\n")
    table = data.read_labels([floor, elements], tasks=data.BOTH).set_index("path")
    names = {Path(path).stem: row for path, row in table.iterrows()}
    assert names["b"][["floor", "elements", "dive"]].tolist() == ["muddy", "waste", "d2"]
    assert pd.isna(names["a"]["elements"])
    assert pd.isna(names["c"]["floor"])
    heads = data.class_names(table.reset_index(), data.BOTH)
    matrix = data.targets(table.reset_index(), heads)
    assert matrix.shape == (3, 4)
    assert pd.isna(matrix).sum() == 4  # two unknown labels of two classes each


def test_two_tasks_from_one_table_or_one_folder(tmp_path: Path) -> None:
    for name in ("floor/sandy/a.jpg", "floor/reef/b.jpg", "elements/waste/c.jpg", "x.jpg"):
        _image(tmp_path / name)
    table = data.read_labels(tmp_path, tasks=data.BOTH)
    assert table["floor"].notna().sum() == 2
    assert table["elements"].notna().sum() == 1
    one = _table(tmp_path / "t.csv", "image,floor,element\nx.jpg,reef,fauna\n")
    assert data.read_labels(one, tasks=data.BOTH).loc[0, "floor"] == "reef"
    unnamed = _table(tmp_path / "u.csv", "image,label\nx.jpg,reef\n")
    with pytest.raises(DataError, match="needs the columns image and floor;"):
        data.read_labels(unnamed, tasks=data.BOTH)


def test_aliases_map_other_names(tmp_path: Path) -> None:
    _image(tmp_path / "a.jpg")
    table = _table(tmp_path / "t.csv", "image,label\na.jpg,Plastico\n")
    names = _table(tmp_path / "names.csv", "alias,name\nplastico,waste\n")
    found = data.read_labels(table, tasks=("elements",), aliases=names)
    assert found["elements"].tolist() == ["waste"]
    with pytest.raises(DataError, match=r"--aliases .* columns alias and name"):
        data.read_labels(table, tasks=("elements",), aliases=table)


def test_a_copy_of_a_file_under_another_label_is_found(tmp_path: Path) -> None:
    first = _image(tmp_path / "waste" / "a.jpg")
    (tmp_path / "fauna").mkdir()
    (tmp_path / "fauna" / "copy.jpg").write_bytes(first.read_bytes())
    with pytest.raises(DataError, match=r"1 images have two labels.*copy\.jpg \(fauna\)"):
        data.read_labels(tmp_path, tasks=("elements",))
    both = data.read_labels(tmp_path, tasks=("elements",), multilabel=True)
    assert both["elements"].tolist() == ["fauna|waste"]


def test_several_labels_a_cell(tmp_path: Path) -> None:
    _image(tmp_path / "a.jpg")
    table = _table(tmp_path / "t.csv", "image,label\na.jpg,waste|algas\n")
    found = data.read_labels(table, tasks=("elements",), multilabel=True)
    heads = {"elements": ("fauna", "algae", "waste")}
    assert data.targets(found, heads).tolist() == [[0, 1, 1]]


def test_a_likely_slip_is_pointed_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    _image(tmp_path / "wasste" / "a.jpg")
    (tmp_path / "algae").mkdir()
    data.read_labels(tmp_path, tasks=("elements",))
    assert "'wasste' (1 images) is taken as a class of its own; if 'waste' is meant" in caplog.text
    assert "algae holds no images: the class is left out" in caplog.text


def test_one_class_only_is_refused(tmp_path: Path) -> None:
    _image(tmp_path / "waste" / "a.jpg")
    table = data.read_labels(tmp_path, tasks=("elements",))
    with pytest.raises(DataError, match="elements needs at least two classes, has 1"):
        data.class_names(table, ("elements",))


def test_a_class_that_the_classifier_does_not_know(tmp_path: Path) -> None:
    table = pd.DataFrame({"elements": ["whale"]})
    with pytest.raises(DataError, match="'whale', which the classifier does not know; it knows"):
        data.targets(table, {"elements": ("waste", "fauna")})


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_a_table_may_know_one_of_two_tasks(tmp_path: Path, kind: str) -> None:
    _image(tmp_path / "a.jpg")
    table = pd.DataFrame({"image": ["a.jpg"], "element": ["waste"]})
    file = tmp_path / f"t.{kind}"
    _ = table.to_csv(file) if kind == "csv" else table.to_parquet(file)
    found = data.read_labels(file, tasks=data.BOTH)
    assert found["elements"].tolist() == ["waste"]
    assert found["floor"].isna().all()
    with pytest.raises(DataError, match="floor needs at least two classes, has 0"):
        data.class_names(found, data.BOTH)


@pytest.mark.parametrize("name", ["None", "NA", "null"])
def test_a_class_may_be_called_like_nothing(tmp_path: Path, name: str) -> None:
    _image(tmp_path / "a.jpg")
    (tmp_path / "t.csv").write_text(f"image,label\na.jpg,{name}\n")
    assert data.read_labels(tmp_path / "t.csv")["elements"].tolist() == [name.lower()]
