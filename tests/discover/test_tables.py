import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from discover.survey import SurveyError, concat_rows, open_survey
from discover.tables import DamagedShard, Table, column_to_vectors, vectors_to_column


def _rows(*names: str) -> object:
    return concat_rows(
        {"crop_id": list(names), "x": [0.5] * len(names), "y": [1.0] * len(names)}, "maps"
    )


def test_a_shard_is_written_once(tmp_path: Path) -> None:
    table = Table(tmp_path, "maps")
    assert table.write("u1", _rows("a", "b"))
    assert not table.write("u1", _rows("c"))
    assert table.write("u2", _rows("c"))
    assert table.read()["crop_id"].to_pylist() == ["a", "b", "c"]
    assert table.read(["crop_id"], units=["u2"])["crop_id"].to_pylist() == ["c"]


def test_an_empty_table_has_its_columns(tmp_path: Path) -> None:
    assert Table(tmp_path / "none", "crops").read(["crop_id", "mask"]).column_names == [
        "crop_id",
        "mask",
    ]


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="column 'y' is missing"):
        Table(tmp_path, "maps").write("u", _rows("a").drop_columns("y"))


def test_unfinished_files_are_not_shards(tmp_path: Path) -> None:
    (tmp_path / ".u9.123.tmp").write_bytes(b"half")
    assert Table(tmp_path, "maps").units() == []


@pytest.mark.parametrize("damage", ["cut", "flip", "empty"])
def test_damage_is_found_named_and_set_aside(tmp_path: Path, damage: str) -> None:
    table = Table(tmp_path, "maps")
    table.write("good", _rows("a"))
    table.write("hurt", _rows(*(f"crop{i}" for i in range(500))))
    path = tmp_path / "hurt.parquet"
    data = bytearray(path.read_bytes())
    if damage == "cut":
        data = data[: len(data) // 2]
    elif damage == "flip":
        data[len(data) // 8] ^= 0xFF
    else:
        data = bytearray()
    path.write_bytes(data)
    with pytest.raises(DamagedShard, match="hurt"):
        table.read()
    assert table.set_aside_damaged() == [tmp_path / "hurt.damaged"]
    assert table.units() == ["good"]
    assert table.write("hurt", _rows("b"))
    assert table.read()["crop_id"].to_pylist() == ["a", "b"]


_WRITER = """
import sys
from pathlib import Path
from discover.survey import concat_rows
from discover.tables import Table
table = Table(Path(sys.argv[1]), "maps")
for unit in range(100000):
    rows = {"crop_id": [f"{unit}/{i}" for i in range(50)], "x": [0.0] * 50, "y": [0.0] * 50}
    table.write(f"{unit:06d}", concat_rows(rows, "maps"))
"""


def test_reading_while_another_process_writes_and_is_killed(tmp_path: Path) -> None:
    table = Table(tmp_path, "maps")
    writer = subprocess.Popen([sys.executable, "-c", _WRITER, str(tmp_path)])
    try:
        seen = 0
        deadline = time.monotonic() + 60
        while seen < 40 * 50 and time.monotonic() < deadline:
            rows = table.read()
            assert len(rows) % 50 == 0  # whole shards only
            assert len(rows) >= seen
            seen = len(rows)
    finally:
        os.kill(writer.pid, signal.SIGKILL)
        writer.wait()
    assert seen >= 40 * 50
    assert table.set_aside_damaged() == []
    assert len(table.read()) % 50 == 0


@given(
    hnp.arrays(
        np.float32,
        st.tuples(st.integers(1, 6), st.integers(1, 9)),
        elements=st.floats(-100, 100, width=16),
    )
)
def test_vectors_round_trip(vectors: np.ndarray) -> None:
    import pyarrow as pa

    column, described = vectors_to_column(vectors)
    assert described == {"dtype": "float16", "dim": str(vectors.shape[1])}
    assert np.array_equal(column_to_vectors(pa.table({"vector": column})), vectors)


def test_vectors_that_are_not_finite_are_refused() -> None:
    with pytest.raises(ValueError, match="row 1"):
        vectors_to_column(np.array([[1.0], [np.nan]]))


def test_opening_what_is_no_survey(tmp_path: Path) -> None:
    with pytest.raises(SurveyError, match="is not a survey: run `discover add"):
        open_survey(tmp_path)
    survey = open_survey(tmp_path, create=True)
    assert open_survey(tmp_path).root == survey.root
    with pytest.raises(SurveyError, match="discover embed"):
        survey.run("embeddings")
    with pytest.raises(SurveyError, match="there are: none"):
        survey.run("clusters", "waste-1")


def test_sql_sees_empty_and_full_tables(tmp_path: Path) -> None:
    survey = open_survey(tmp_path, create=True)
    assert survey.sql("select count(*) as n from frames")["n"][0] == 0
    survey.table("maps", "r").write("all", _rows("a", "b"))
    found = survey.sql(
        "select crop_id from maps where crop_id = ?", ["b"], maps=survey.table("maps", "r")
    )
    assert found["crop_id"].tolist() == ["b"]


def test_columns_that_an_earlier_release_did_not_write_are_null(tmp_path: Path) -> None:
    table = Table(tmp_path, "maps")
    table.write("new", _rows("a"))
    pq.write_table(_rows("b").drop_columns("y"), tmp_path / "old.parquet")
    assert table.read(["crop_id", "y"])["y"].null_count == 1
    (tmp_path / "new.parquet").unlink()
    assert table.read(["crop_id", "y"])["y"].to_pylist() == [None]
    assert table.read().column_names[:2] == ["crop_id", "x"]
