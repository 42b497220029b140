"""Frames in; crops and their embeddings out, in one pass over the files.

The unit of work is a shard of the frames table. Its embeddings shard is written last and marks it
as done, so that a run that was killed goes on where it was.
"""

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import torch
from torch import Tensor, nn
from torch.nn import functional

from classify.ahead import made_ahead
from classify.backbones import BUNDLED, Trunk, load_backbone
from classify.device import best_device, inference_precision, place
from classify.images import Decoded, ImageError, read_image
from classify.model import as_batch
from classify.runs import Config, Run, content_hash, start_run
from discover.crops import Crop, crop_pixels, encode_mask, square_around
from discover.overlay import Overlays, uncovered
from discover.regions import Found, RegionSource
from discover.survey import Survey, SurveyError, concat_rows, crop_id
from discover.tables import SCHEMAS, vectors_to_column

log = logging.getLogger(__name__)

Progress = Callable[[int, int], None]
_BATCH = 16  # frames decoded together
_ENOUGH = 0.5  # pixels of the frame per pixel of the crop: a coarser one is decoded again, finer


@dataclass(frozen=True)
class EmbedConfig(Config):
    """How crops are turned into vectors.

    Attributes:
        backbone: a timm model name, or `hf-hub:owner/model`.
        weights: `bundled`, `timm`, or a file.
        size: side of the crop that the backbone sees, pixels.
        context: margin round the region's box, as a share of its longer side.
        background: outside the mask: "surround" (its mean colour), "blur" or "keep".
        flip: average the vectors of the crop and of its mirror image.
        hide_overlay: leave out regions that are mostly vehicle or telemetry, and treat what such
            things cover of others as background; boxes that were given stay as they are.
    """

    backbone: str = BUNDLED
    weights: str = "bundled"
    size: int = 224
    context: float = 0.05
    background: str = "surround"
    flip: bool = True
    hide_overlay: bool = True


class Embedder:
    """A backbone whose last feature map is averaged over the region's mask."""

    def __init__(self, backbone: nn.Module, *, flip: bool = True) -> None:
        self._trunk = Trunk(backbone)
        place(self._trunk)
        self._flip = flip
        self.dim = self._trunk.channels

    @torch.inference_mode()
    def __call__(self, crops: list[Crop]) -> npt.NDArray[np.float32]:
        """Return the vectors [n, dim] of crops."""
        if not crops:
            return np.zeros((0, self.dim), np.float32)
        pixels = as_batch([crop.pixels for crop in crops], best_device())
        masks = torch.from_numpy(np.stack([crop.mask for crop in crops])).to(best_device())
        vectors = self._masked_mean(pixels, masks)
        if self._flip:
            vectors = (vectors + self._masked_mean(pixels.flip(2), masks.flip(2))) / 2
        return vectors.cpu().numpy()

    def _masked_mean(self, pixels: Tensor, masks: Tensor) -> Tensor:
        """Average the last map over the positions that lie on the mask."""
        with inference_precision():
            features = self._trunk(pixels)
        features = features.float()
        weights = functional.interpolate(masks[:, None], features.shape[2:], mode="area") + 1e-3
        return (features * weights).sum(dim=(2, 3)) / weights.sum(dim=(2, 3))


def embed(
    survey: Survey,
    regions: RegionSource,
    *,
    config: EmbedConfig | None = None,
    progress: Progress | None = None,
) -> Run:
    """Find the regions of all frames, cut them out and embed them.

    Args:
        survey: the survey, with frames.
        regions: where regions come from: a classifier, boxes, or the whole frame.
        config: how crops become vectors; None takes the defaults.
        progress: called with (frames done, frames in all).

    Returns:
        The run, of which `crops/<name>` and `embeddings/<name>` are the tables. The same call again
        goes on where it was stopped, takes in new frames, and adds nothing when nothing is new.

    Raises:
        SurveyError: there are no frames, or most files of a shard cannot be read.
        WeightsError: the backbone's weights cannot be had.
    """
    config = config or EmbedConfig()
    units = survey.frames.units()
    if not units:
        raise SurveyError(f"--survey {survey.root} has no frames: run `discover add FOLDER` first")
    run = _start(survey, regions, config)
    crops, vectors = survey.table("crops", run.name), survey.table("embeddings", run.name)
    crops.set_aside_damaged()
    vectors.set_aside_damaged()
    done = set(crops.units()) & set(vectors.units())
    total = survey.count_frames()
    worker = _Worker(survey, regions, config)
    at = 0
    for unit in units:
        frames = survey.frames.read(units=[unit])
        if unit not in done:
            # Left by a kill between the two writes, or beside a damaged one: made anew, together.
            vectors.discard(unit)
            crops.discard(unit)
            found, rows = worker.run(frames, _shifted(progress, at, total))
            crops.write(unit, found)
            vectors.write(unit, rows)
        at += len(frames)
        if progress:
            progress(at, total)
    run.complete(
        counts={
            "frames": total,
            "crops": len(vectors.read(["crop_id"])),
            "unreadable": worker.unreadable,
            "covered": worker.covered,
        }
    )
    return run


def _shifted(progress: Progress | None, start: int, total: int) -> Callable[[int], None]:
    """Return the progress of one unit, told to the progress of all."""

    def advance(done: int) -> None:
        if progress:
            progress(start + done, total)

    return advance


def _start(survey: Survey, regions: RegionSource, config: EmbedConfig) -> Run:
    key = {"mode": regions.mode, **regions.key, "embed": config.to_dict()}
    name = f"{regions.mode}-{content_hash(key)}"
    runs = [
        start_run(
            survey.run_folder(stage, name),
            command="discover embed",
            config=key,
            parents={"crops": name} if stage == "embeddings" else {},
            model_hash=regions.model_hash,
        )
        for stage in ("crops", "embeddings")
    ]
    return runs[1]


class _Worker:
    """Turns the frames of one unit into rows of crops and embeddings."""

    def __init__(self, survey: Survey, regions: RegionSource, config: EmbedConfig) -> None:
        self._survey = survey
        self._regions = regions
        self._config = config
        self._embedder = Embedder(load_backbone(config.backbone, config.weights), flip=config.flip)
        self._overlays = Overlays(survey) if config.hide_overlay and not regions.given else None
        self.unreadable = self.covered = 0

    def run(self, frames: pa.Table, progress: Callable[[int], None]) -> tuple[pa.Table, pa.Table]:
        """Return the crops and the embeddings of `frames`, in the same order."""
        rows: dict[str, list[Any]] = {name: [] for name in SCHEMAS["crops"].names}
        vectors = [np.zeros((0, self._embedder.dim), np.float32)]
        failed = done = 0
        names = frames.select(["frame_id", "path", "dive"]).to_pylist()
        stored = frames["path"].to_pylist()
        files = [self._survey.frame_path(path) for path in stored]
        self._regions.begin(files, stored, frames["dive"].to_pylist())
        with ThreadPoolExecutor(2) as pool:
            for batch in made_ahead(self._read, names, batch=_BATCH):
                sound = [item for item in batch if item is not None]
                failed += len(batch) - len(sound)
                if sound:
                    crops = self._cut(sound, rows, pool)
                    vectors.append(self._embedder(crops))
                done += len(batch)
                progress(done)
        if failed > len(frames) / 2:
            raise SurveyError(
                f"{failed} of {len(frames)} frames cannot be read, such as "
                f"{frames['path'][0].as_py()}: are the images still where they were added from?"
            )
        self.unreadable += failed
        column, described = vectors_to_column(np.concatenate(vectors))
        table = pa.table({"crop_id": rows["crop_id"], "vector": column})
        return concat_rows(rows, "crops"), table.replace_schema_metadata(described)

    def _read(self, name: dict[str, str]) -> "_Frame | None":
        path = self._survey.frame_path(name["path"])
        try:
            data = path.read_bytes()
            side = max(self._regions.min_side, self._config.size)
            decoded = read_image(data, min_side=side)
        except (ImageError, OSError) as error:
            log.warning("skipped %s: %s", path, error)
            return None
        # The bytes are kept only where a small region may need them at a finer scale.
        data = data if decoded.scale < 1 else b""
        return _Frame(name["frame_id"], name["path"], name["dive"], decoded, data)

    def _cut(
        self, batch: list["_Frame"], rows: dict[str, list[Any]], pool: ThreadPoolExecutor
    ) -> list[Crop]:
        """Find and cut the regions of a batch; append their rows, return the crops."""
        regions = self._regions.find([f.path for f in batch], [f.decoded for f in batch])
        per_frame = [self._in_sight(*pair) for pair in zip(batch, regions, strict=True)]
        cut_out = pool.map(self._cut_frame, batch, per_frame)
        crops: list[Crop] = []
        for frame, found, of_frame in zip(batch, per_frame, cut_out, strict=True):
            seen: set[str] = set()
            for region, crop in zip(found, of_frame, strict=True):
                row = _crop_row(frame, region)
                if row["crop_id"] in seen:
                    continue  # two annotations of one object: one crop
                seen.add(row["crop_id"])
                for name, values in rows.items():
                    values.append(row[name])
                crops.append(crop)
        return crops

    def _in_sight(self, frame: "_Frame", found: list[Found]) -> list[Found]:
        """Return the regions without what lies over the scene."""
        overlay = self._overlays.of(frame.dive) if self._overlays is not None else None
        if overlay is None:
            return found
        size = frame.decoded.width, frame.decoded.height
        cuts = [uncovered(f.cut, overlay, size) for f in found]
        self.covered += cuts.count(None)
        return [replace(f, cut=c) for f, c in zip(found, cuts, strict=True) if c is not None]

    def _cut_frame(self, frame: "_Frame", found: list[Found]) -> list[Crop]:
        if not found:
            return []
        config = self._config
        smallest = min(square_around(f.cut.box, config.context)[2] for f in found)
        needed = _ENOUGH * config.size / smallest  # scale at which the smallest crop is sharp
        decoded = frame.decoded
        if frame.data and decoded.scale < min(1.0, needed):
            side = round(min(1.0, needed) * min(decoded.width, decoded.height))
            decoded = read_image(frame.data, min_side=side)
        return [
            crop_pixels(
                decoded,
                f.cut,
                size=config.size,
                context=config.context,
                background=config.background,
            )
            for f in found
        ]


@dataclass(frozen=True)
class _Frame:
    frame_id: str
    path: str
    dive: str
    decoded: Decoded
    data: bytes  # empty where nothing finer than `decoded` is there


def _crop_row(frame: _Frame, found: Found) -> dict[str, Any]:
    x, y, w, h = found.cut.box
    heat = found.heat
    return {
        "crop_id": crop_id(frame.frame_id, found.class_name, found.cut.box),
        "frame_id": frame.frame_id,
        "class": found.class_name,
        "score": found.score,
        "x": x,
        "y": y,
        "w": w,
        "h": h,
        "mask": encode_mask(found.cut, frame.decoded.width, frame.decoded.height),
        "heat": None if heat is None else heat.tobytes(),
        "heat_rows": None if heat is None else heat.shape[0],
        "heat_cols": None if heat is None else heat.shape[1],
    }
