"""The columns of a survey's tables, and the folders of immutable shards that hold them.

A table is a folder of Parquet shards, each named by its unit of work. A shard appears whole or not
at all, so one can append, resume after a kill, read while another process writes, and copy the
folder, with no further code.
"""

import logging
import os
import uuid
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from classify.errors import UserError
from classify.runs import publish

log = logging.getLogger(__name__)

SCHEMAS: dict[str, pa.Schema] = {
    "frames": pa.schema(
        [
            ("frame_id", pa.string()),
            ("path", pa.string()),  # relative to the survey where inside it, else absolute
            ("sha256", pa.string()),
            ("dive", pa.string()),
            ("index", pa.int64()),  # order within the dive
            ("time_utc", pa.timestamp("us", tz="UTC")),
            ("width", pa.int32()),  # pixels, after EXIF rotation
            ("height", pa.int32()),
            ("lat", pa.float64()),  # degrees north
            ("lon", pa.float64()),  # degrees east
            ("depth_m", pa.float64()),
            ("sharpness", pa.float32()),  # variance of the Laplacian, grey values 0..255
            ("brightness", pa.float32()),  # mean grey value, 0..255
            ("fineness", pa.float32()),  # fine detail as a share of coarse detail; low in blur
            ("flags", pa.list_(pa.string())),
            ("video", pa.string()),  # the file it was taken from, like `path`; null for an image
            ("video_frame", pa.int64()),  # number of the frame in the video, from 0
            ("video_s", pa.float64()),  # its time stamp, seconds from the start of the video
            ("altitude_m", pa.float32()),  # above the floor
            ("area_m2", pa.float32()),  # of floor in view
            ("yaw_deg", pa.float32()),  # heading, clockwise from north
        ]
    ),
    # Same-scene pairs with proof; `frame_a` comes before `frame_b` in the frames table's order.
    "pairs": pa.schema(
        [
            ("frame_a", pa.string()),
            ("frame_b", pa.string()),
            ("inliers", pa.int32()),  # matched points that agree on one motion
            ("overlap", pa.float32()),  # share of the scene of a that b shows, 0..1
            ("proof", pa.float32()),  # probability that both show the same scene
        ]
    ),
    "bursts": pa.schema(
        [
            ("frame_id", pa.string()),
            ("burst_id", pa.string()),
            ("keyframe", pa.bool_()),
            ("proof", pa.float32()),  # of the strongest pair that ties it to its burst; null alone
            ("order", pa.int64()),  # place in the dive: the index, or recovered by looking
            ("flags", pa.list_(pa.string())),  # quality that only the dive's other frames tell
        ]
    ),
    "predictions": pa.schema(
        [
            ("frame_id", pa.string()),
            ("task", pa.string()),  # floor or elements
            ("class", pa.string()),
            ("probability", pa.float32()),  # calibrated
            ("sure", pa.bool_()),  # whether it reaches the classifier's threshold
        ]
    ),
    "crops": pa.schema(
        [
            ("crop_id", pa.string()),
            ("frame_id", pa.string()),
            ("class", pa.string()),
            ("score", pa.float32()),  # probability of the class, or the annotation's own score
            ("x", pa.int32()),  # box of the mask, original pixels
            ("y", pa.int32()),
            ("w", pa.int32()),
            ("h", pa.int32()),
            ("mask", pa.string()),  # COCO compressed RLE counts, frame-sized; null = whole box
            ("heat", pa.binary()),  # class activation map, uint8, heat_rows x heat_cols
            ("heat_rows", pa.int16()),
            ("heat_cols", pa.int16()),
        ]
    ),
    "embeddings": pa.schema([("crop_id", pa.string()), ("vector", pa.binary())]),
    "clusters": pa.schema(
        [
            ("crop_id", pa.string()),
            ("cluster", pa.int32()),  # -1 = noise
            ("probability", pa.float32()),  # HDBSCAN's strength of membership
            ("exemplar", pa.bool_()),
            ("inherited_from", pa.string()),  # the keyframe's crop, where placed by its burst
            ("novelty", pa.float32()),  # share of the clustered crops nearer to their like, 0..1
            ("placed", pa.bool_()),  # put among the clusters, which it had no part in making
        ]
    ),
    "maps": pa.schema([("crop_id", pa.string()), ("x", pa.float32()), ("y", pa.float32())]),
    # HDBSCAN's condensed tree: a node holds `size` crops and leaves `parent` at density `lambda`.
    "trees": pa.schema(
        [
            ("parent", pa.int64()),
            ("child", pa.int64()),
            ("lambda", pa.float64()),
            ("size", pa.int64()),
            ("cluster", pa.int32()),  # the cluster that `child` is, null where it is none
        ]
    ),
    # What the sizes of smallest clusters give that "auto" tries; agreements are AMI.
    "sweeps": pa.schema(
        [
            ("min_size", pa.int32()),
            ("clusters", pa.int32()),
            ("coverage", pa.float32()),  # share of the crops that are in a cluster
            ("largest_share", pa.float32()),  # of the crops, in the largest cluster
            ("validity", pa.float32()),  # how well clusters are apart, -1..1
            ("seeds_agree", pa.float32()),  # null where the method has no seed
            ("sizes_agree", pa.float32()),  # with the sizes before and after; null of one size
            ("stability", pa.float32()),  # mean of both
            ("worth", pa.float32()),  # by which one is chosen
            ("chosen", pa.bool_()),
        ]
    ),
    # Names that a head suggests for crops that nobody named.
    "suggestions": pa.schema(
        [
            ("crop_id", pa.string()),
            ("name", pa.string()),
            ("confidence", pa.float32()),  # calibrated probability
            ("novelty", pa.float32()),  # share of the named crops nearer to their like, 0..1
            ("next", pa.int32()),  # rank of what to look at first; null beyond the first ones
        ]
    ),
    # What became of the clusters of an earlier run: a row for each pair that share crops.
    "lineages": pa.schema(
        [
            ("cluster", pa.int32()),  # null = vanished
            ("lineage", pa.string()),  # run/number under which the cluster first appeared
            ("change", pa.string()),  # kept, split, merged, regrouped, appeared or vanished
            ("earlier_run", pa.string()),
            ("earlier", pa.int32()),  # cluster of that run; null = appeared
            ("shared", pa.int64()),  # crops in both
            ("of_cluster", pa.float32()),  # that is which share of the cluster
            ("of_earlier", pa.float32()),  # and of the earlier one
        ]
    ),
}


class DamagedShard(UserError):
    """A shard that is not what was written."""


class Table:
    """A folder of immutable shards, one Parquet file each, named by their unit of work."""

    def __init__(self, folder: Path, name: str) -> None:
        self.folder = folder
        self.name = name
        self.schema = SCHEMAS[name]

    def files(self) -> list[Path]:
        """Return the whole shards, sorted by unit; shards being written are not among them."""
        return sorted(p for p in self.folder.glob("*.parquet") if not p.name.startswith("."))

    def units(self) -> list[str]:
        """Return the units of work that are done, sorted."""
        return [path.stem for path in self.files()]

    def write(self, unit: str, rows: pa.Table, *, replace: bool = False) -> bool:
        """Publish the shard of `unit`; False when it is there already and nothing was written.

        Args:
            unit: the unit of work.
            rows: its rows; metadata of their schema are kept.
            replace: put the new shard in the place of an old one, at once.

        Raises:
            ValueError: `rows` lacks a column of the table (message names it).
        """
        path = self.folder / f"{unit}.parquet"
        if path.exists() and not replace:
            return False
        missing = [name for name in self.schema.names if name not in rows.column_names]
        if missing:
            raise ValueError(f"{self.name}: column {missing[0]!r} is missing in shard {unit!r}")
        rows = rows.cast(_with_extra_columns(self.schema, rows.schema))
        self.folder.mkdir(parents=True, exist_ok=True)
        temporary = self.folder / f".{unit}.{uuid.uuid4().hex[:8]}.tmp"
        with open(temporary, "wb") as handle:
            pq.write_table(rows, handle, compression="zstd", write_page_checksum=True)
            handle.flush()
            os.fsync(handle.fileno())
        publish(temporary, path)
        return True

    def discard(self, unit: str) -> None:
        """Remove the shard of `unit`, if there is one, so that it is made again."""
        (self.folder / f"{unit}.parquet").unlink(missing_ok=True)

    def read(
        self, columns: list[str] | None = None, *, units: Iterable[str] | None = None
    ) -> pa.Table:
        """Return the rows of all shards (or of `units`), in order of unit.

        Raises:
            DamagedShard: a shard's checksum or structure is wrong.
        """
        files = self.files() if units is None else [self.folder / f"{u}.parquet" for u in units]
        tables = [_read_shard(path, columns) for path in files]
        schema = self.schema if columns is None else pa.schema(map(self.schema.field, columns))
        if not tables:
            return schema.empty_table()
        rows = pa.concat_tables(tables, promote_options="default")
        for field in schema:  # a shard of an earlier release may lack a column of today's
            if field.name not in rows.column_names:
                rows = rows.append_column(field, pa.nulls(len(rows), field.type))
        return rows

    def about(self, unit: str) -> tuple[int, dict[str, str]] | None:
        """Return how many rows the shard of `unit` has, and its metadata, from its footer alone.

        None where there is no shard.
        """
        try:
            footer = pq.read_metadata(self.folder / f"{unit}.parquet")
        except FileNotFoundError:
            return None
        notes = footer.schema.to_arrow_schema().metadata or {}
        return footer.num_rows, {key.decode(): value.decode() for key, value in notes.items()}

    def set_aside_damaged(self, units: Iterable[str] | None = None) -> list[Path]:
        """Rename damaged shards to `*.damaged`, so that their units are made again; return them.

        Only a stage that is about to write calls this; readers leave the folder alone.

        Args:
            units: those that are looked at; None looks at all.
        """
        aside = []
        wanted = None if units is None else set(units)
        for path in self.files():
            if wanted is not None and path.stem not in wanted:
                continue
            try:
                _read_shard(path, None)
            except FileNotFoundError:
                continue  # another process has set it aside
            except DamagedShard as error:
                target = path.with_suffix(".damaged")
                try:
                    os.replace(path, target)
                except FileNotFoundError:
                    continue
                log.warning("%s; set aside as %s and made again", error, target.name)
                aside.append(target)
        return aside


def _read_shard(path: Path, columns: list[str] | None) -> pa.Table:
    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as shard:
            return shard.read(columns)
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        if isinstance(error, FileNotFoundError):
            raise
        raise DamagedShard(f"shard {path} is damaged ({str(error).splitlines()[0]})") from error


def _with_extra_columns(schema: pa.Schema, given: pa.Schema) -> pa.Schema:
    """Return `schema` with the columns that only `given` has, and the metadata of `given`."""
    order = [schema.field(n) if n in schema.names else given.field(n) for n in given.names]
    return pa.schema(order, metadata=given.metadata)


def vectors_to_column(vectors: npt.NDArray[np.floating]) -> tuple[pa.Array, dict[str, str]]:
    """Pack vectors [n, d] as float16 bytes; return the column and the metadata that describes it.

    Raises:
        ValueError: a value is not finite, or too large for float16.
    """
    half = np.ascontiguousarray(vectors, dtype=np.float16)
    if not np.isfinite(half).all():
        row = int(np.flatnonzero(~np.isfinite(half).all(axis=1))[0])
        raise ValueError(f"vectors: row {row} has a value that is not finite in float16")
    column = pa.array([row.tobytes() for row in half], pa.binary())
    return column, {"dtype": "float16", "dim": str(half.shape[1])}


def column_to_vectors(rows: pa.Table) -> npt.NDArray[np.float32]:
    """Unpack the `vector` column of an embeddings table into float32 [n, d]."""
    if not len(rows):
        dim = int((rows.schema.metadata or {}).get(b"dim", 0))
        return np.zeros((0, dim), np.float32)
    joined = b"".join(rows["vector"].to_pylist())
    return np.frombuffer(joined, np.float16).reshape(len(rows), -1).astype(np.float32)
