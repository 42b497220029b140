"""Proofs that were made before, kept in the cache so that no pair is compared twice."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from classify.runs import write_atomic
from discover.scenes.looks import VERSION as LOOKS
from discover.scenes.matching import VERSION, Proof
from discover.survey import unit_name

_SHARD = 2000  # proofs: what a kill can cost at most
_SCHEMA = pa.schema(
    [
        ("key", pa.string()),
        ("inliers", pa.int32()),
        ("agreement", pa.float32()),
        ("overlap", pa.float32()),
        ("overlap_back", pa.float32()),
        ("score", pa.float32()),
    ]
)
Row = tuple[float, ...]


class Proofs:
    """A mapping from the key of a pair to `inliers, agreement, overlap, overlap_back, score`."""

    def __init__(self, cache: Path) -> None:
        self.folder = cache / f"proofs-{LOOKS}-{VERSION}"
        self._known: dict[str, Row] = {}
        self._fresh: dict[str, Row] = {}
        for path in sorted(self.folder.glob("*.parquet")):
            try:
                columns = pq.read_table(path).to_pydict()
            except (pa.ArrowException, OSError):
                path.unlink()  # a damaged shard of a cache is made again
                continue
            keys, *values = (columns[name] for name in _SCHEMA.names)
            self._known |= dict(zip(keys, zip(*values, strict=True), strict=True))

    def __contains__(self, key: str) -> bool:
        return key in self._known

    def __getitem__(self, key: str) -> Row:
        return self._known[key]

    def add(self, proofs: dict[str, Proof]) -> None:
        """Keep proofs; from time to time they are written."""
        for key, p in proofs.items():
            row = pa.array([p.agreement, p.overlap, p.overlap_back, p.score], pa.float32())
            self._fresh[key] = (p.inliers, *row.to_pylist())  # as they would be read again
        self._known |= {key: self._fresh[key] for key in proofs}
        if len(self._fresh) >= _SHARD:
            self.flush()

    def flush(self) -> None:
        """Write what is not written yet."""
        if not self._fresh:
            return
        keys = list(self._fresh)
        columns = [keys, *map(list, zip(*self._fresh.values(), strict=True))]
        table = pa.table(dict(zip(_SCHEMA.names, columns, strict=True)), schema=_SCHEMA)
        sink = pa.BufferOutputStream()
        pq.write_table(table, sink)
        write_atomic(self.folder / f"{unit_name(keys)}.parquet", sink.getvalue().to_pybytes())
        self._fresh = {}
