"""A backbone that learns from the survey's own crops, without a label.

Two views of one object are to have like vectors, and views of other objects unlike ones (SimCLR,
Chen et al. 2020, arXiv:2002.05709). The views are of two frames of one burst where there are such,
each turned, recoloured and degraded as another dive and camera would have it. Crops of the same
burst are never taken for unlike: they may be the same thing, or its neighbour of the same kind.
"""

import json
import logging
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from safetensors.torch import save_file
from timm.optim import param_groups_layer_decay
from timm.scheduler import CosineLRScheduler
from torch import Tensor, nn
from torch.nn import functional

from classify.ahead import made_ahead
from classify.backbones import BUNDLED, Trunk
from classify.device import best_device, place, training_precision
from classify.images import Pixels
from classify.model import as_batch
from classify.runs import Config, Run, RunError, start_run, write_atomic
from classify.transforms import augmentation
from classify.trunks import (
    BACKBONE_FILE,
    BACKBONE_WEIGHTS,
    architecture,
    load_trunk,
    weights_hash,
)
from discover.cutting.crop_store import Images, cut_crops
from discover.cutting.embedders import EmbedConfig
from discover.cutting.same_object import Groups, same_objects
from discover.survey import Survey, SurveyError
from discover.tables import column_to_vectors

log = logging.getLogger(__name__)

Progress = Callable[[str], Callable[[int, int], None]]
Rows = npt.NDArray[np.int64]
_FEWEST = 16  # objects: fewer teach nothing but themselves
_PROJECTED = 128  # numbers that views are compared by; the projection is thrown away
_WARM_UP = 0.1  # of the steps
_NEVER = -1e4  # of a likeness: no weight in the softmax


@dataclass(frozen=True)
class AdaptConfig(Config):
    """How a backbone is adapted.

    Attributes:
        backbone: what is adapted, as for `EmbedConfig`.
        weights: likewise.
        size: side of the crops while it learns, pixels; smaller than for embedding, which is
            several times faster and hardly matters.
        background: outside a crop's mask, as for `EmbedConfig`.
        epochs: times that each object is seen.
        batch: objects that are told apart at a time.
        rate: of the last layer; each earlier one learns `layer_decay` times as fast.
        layer_decay: see `rate`.
        temperature: of the softmax over the objects of a batch.
        strength: of the augmentation.
        seed: decides all that is random.
    """

    backbone: str = BUNDLED
    weights: str = "bundled"
    size: int = 144
    background: str = "surround"
    epochs: int = 3
    batch: int = 64
    rate: float = 1e-4
    layer_decay: float = 0.7
    temperature: float = 0.1
    strength: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("epochs", "rate", "temperature", "layer_decay"):
            if getattr(self, name) <= 0:
                raise RunError(f"--{name.replace('_', '-')} {getattr(self, name)} must be above 0")
        if self.batch < 8:
            raise RunError(f"--batch {self.batch} must be at least 8: objects are told from others")


def adapt(
    survey: Survey,
    out: Path,
    *,
    config: AdaptConfig | None = None,
    embeddings: str | None = None,
    stage: Progress | None = None,
) -> Run:
    """Fine-tune a backbone on the crops of a survey.

    Args:
        survey: the survey, with embeddings, by which objects are followed within bursts.
        out: folder of the run; `discover embed --backbone OUT` takes it.
        config: how; None takes the defaults.
        embeddings: the embeddings run whose crops are learned from; None takes the latest.
        stage: called with the name of each stage; gives what is told (done, total).

    Returns:
        The run: `backbone.json`, `backbone.safetensors`; its counts hold crops, objects, objects
        that are seen in several frames, and the loss of each epoch.

    Raises:
        SurveyError: there are no embeddings, or too few objects.
        RunError: `out` holds another run already.
    """
    config = config or AdaptConfig()
    begin = stage or (lambda _name: lambda _done, _total: None)
    if (out / BACKBONE_WEIGHTS).exists():
        raise RunError(f"--out {out} holds an adapted backbone already: name another folder")
    source = survey.run("embeddings", embeddings)
    crops, objects = _objects(survey, source)
    run = start_run(
        out,
        command="discover adapt",
        config=config.to_dict(),
        seed=config.seed,
        parents={"embeddings": source.name},
        model_hash=weights_hash(config.backbone, config.weights),
    )
    looks = EmbedConfig(size=config.size, background=config.background)
    with tempfile.TemporaryDirectory(dir=out) as scratch:
        file = Path(scratch) / "crops.npy"
        images = cut_crops(survey, crops, looks, file, begin("cutting"))
        scenes = crops["burst_id"].fillna(crops["frame_id"])
        learner = _Learner(images, objects, pd.factorize(scenes)[0].astype(np.int64), config)
        losses = learner.run(begin("adapting"))
        del images, learner.images  # Windows removes no file that is mapped
    state = {k: v.detach().cpu().contiguous() for k, v in learner.backbone.state_dict().items()}
    save_file(state, out / BACKBONE_WEIGHTS)
    about = json.dumps({"backbone": architecture(config.backbone)}, indent=2)
    write_atomic(out / BACKBONE_FILE, about.encode())
    seen = np.bincount(objects)
    run.complete(
        counts={
            "crops": len(crops),
            "objects": len(seen),
            "in_several_frames": int((seen > 1).sum()),
            "loss": [round(loss, 4) for loss in losses],
        }
    )
    return run


def _objects(survey: Survey, source: Run) -> tuple[pd.DataFrame, Groups]:
    """Return the crops of an embeddings run, with path and burst, and which show one object."""
    bursts = survey.latest("bursts")
    if bursts is None:
        log.warning("no bursts yet, so that each crop is its own object: `discover bursts` first")
    crops = survey.crops_of(source).read().to_pandas()
    crops["mask"] = crops["mask"].astype(object).where(crops["mask"].notna(), None)  # never nan
    frames = survey.frames.read(["frame_id", "path"]).to_pandas()
    crops = crops.merge(frames, on="frame_id")
    if bursts is not None:
        of_frame = survey.table("bursts", bursts.name).read(["frame_id", "burst_id"])
        crops = crops.merge(of_frame.to_pandas(), on="frame_id", how="left")
    else:
        crops["burst_id"] = None
    table = survey.table("embeddings", source.name).read()
    place = {crop: row for row, crop in enumerate(table["crop_id"].to_pylist())}
    crops = crops[crops["crop_id"].isin(place)].sort_values("crop_id", ignore_index=True)
    vectors = column_to_vectors(table)[[place[crop] for crop in crops["crop_id"]]]
    objects = same_objects(crops, vectors)
    if len(np.unique(objects)) < _FEWEST:
        raise SurveyError(
            f"{len(crops)} crops show {len(np.unique(objects))} objects, at least {_FEWEST} are "
            "needed to adapt a backbone: add frames"
        )
    return crops, objects


class _Learner:
    """The backbone, a projection that is thrown away, and how they learn."""

    def __init__(self, images: Images, objects: Groups, scenes: Rows, config: AdaptConfig) -> None:
        torch.manual_seed(config.seed)
        self.images = images
        self._members = [np.flatnonzero(objects == number) for number in range(objects.max() + 1)]
        self._scenes = torch.from_numpy(scenes)
        self._config = config
        self._batch = min(config.batch, len(self._members))
        self._trunk: Trunk = load_trunk(config.backbone, config.weights, size=config.size)
        self.backbone: nn.Module = self._trunk.backbone
        wide = self._trunk.channels
        self._project = nn.Sequential(
            nn.Linear(wide, wide // 2), nn.ReLU(), nn.Linear(wide // 2, _PROJECTED)
        )
        place(self._trunk)
        self._project.to(best_device())
        groups = param_groups_layer_decay(self.backbone, 1e-2, layer_decay=config.layer_decay)
        groups.append({"params": list(self._project.parameters()), "lr_scale": 10.0})
        self._optimiser = torch.optim.AdamW(groups, lr=config.rate)
        self._steps = max(1, len(images) // self._batch)
        self._augment = augmentation(config.strength)

    def run(self, progress: Callable[[int, int], None]) -> list[float]:
        """Train; return the mean loss of each epoch. Batch norms keep their statistics."""
        total = self._steps * self._config.epochs
        schedule = CosineLRScheduler(
            self._optimiser, t_initial=total, warmup_t=round(_WARM_UP * total), t_in_epochs=False
        )
        self._trunk.eval()
        drawn = [self._draw(step) for step in range(total)]
        places = [(step, at) for step in range(total) for at in range(2 * self._batch)]
        views = made_ahead(
            lambda place: self._view(*place, drawn), places, batch=2 * self._batch, workers=1
        )
        losses = []
        for step, pixels in enumerate(views):
            schedule.step_update(step)
            losses.append(self._step(pixels, drawn[step]))
            progress(step + 1, total)
        by_epoch = np.array(losses).reshape(self._config.epochs, -1)
        return [float(loss) for loss in by_epoch.mean(axis=1)]

    def _draw(self, step: int) -> Rows:
        """Return rows of crops: objects, each once, and in the same order another view of each."""
        rng = np.random.default_rng([self._config.seed, step])
        chosen = rng.choice(len(self._members), self._batch, replace=False)
        pairs = [_two_of(self._members[number], rng) for number in chosen]
        return np.array(pairs, np.int64).T.ravel()

    def _view(self, step: int, at: int, drawn: list[Rows]) -> Pixels:
        """Return a crop as another dive might have shown it: turned round, grey at times."""
        sequence = np.random.SeedSequence([self._config.seed, step, at])
        rng = np.random.default_rng(sequence)
        pixels = np.rot90(self.images[drawn[step][at]], int(rng.integers(4)))
        seen = self._augment(np.ascontiguousarray(pixels), seed=int(sequence.generate_state(1)[0]))
        if rng.random() < 0.2:
            seen = np.repeat(seen.mean(axis=2, keepdims=True).astype(np.uint8), 3, axis=2)
        return seen

    def _step(self, pixels: list[Pixels], rows: Rows) -> float:
        with training_precision():
            features = self._trunk.last_map(self._trunk.normalised(as_batch(pixels, best_device())))
        vectors = self._project(features.float().mean(dim=(2, 3)))
        loss = contrast(vectors, self._scenes[rows], self._config.temperature)
        self._optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self._optimiser.step()
        return loss.item()


def contrast(vectors: Tensor, scenes: Tensor, temperature: float) -> Tensor:
    """Return the loss of two views each of n objects: NT-Xent, but for those of the same scene.

    Args:
        vectors: [2n, d]; row i and row n + i are of one object.
        scenes: int [2n]; what is of one scene is never pushed apart.
        temperature: of the softmax.
    """
    unit = functional.normalize(vectors, dim=1)
    likeness = unit @ unit.T / temperature
    count = len(vectors)
    other = torch.arange(count, device=vectors.device).roll(count // 2)
    apart = (scenes[:, None] != scenes[None]).to(vectors.device)
    apart[torch.arange(count, device=vectors.device), other] = True
    return functional.cross_entropy(likeness.masked_fill(~apart, _NEVER), other)


def _two_of(members: Rows, rng: np.random.Generator) -> Rows:
    """Return two crops of an object; one of them twice where there is no other."""
    if len(members) == 1:
        return np.repeat(members, 2)
    return rng.choice(members, 2, replace=False)
