"""`discover embed` over the machines of a Ray cluster."""

import logging
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from classify.errors import UserError
from discover.cutting.units import Job, UnitWorker

_MOST_BLOCKS = 1000  # that the units are handed out in


def over_cluster(
    job: Job, units: Sequence[str], advance: Callable[[int], None], *, workers: int | None = None
) -> Iterator[int]:
    """Do units in an actor pool of Ray Data; yield the frames of each unit that is done.

    Workers write the tables themselves, so they must see the survey's folder and the frames by the
    same paths. A worker that is killed is started again, and its unit is done again: nothing of it
    was written but whole shards. Joins the cluster of `RAY_ADDRESS`, else starts one here.

    Args:
        job: what to do.
        units: the units to do.
        advance: not called: how far a unit is, only its worker knows.
        workers: actors, of one CPU each; None takes one for each CPU of the cluster.

    Raises:
        UserError: Ray is not installed, or what a worker raised.
    """
    try:
        import ray.data
    except ImportError:
        raise UserError(
            "--engine ray: Ray is not installed: pip install 'rov-discover[ray]'"
        ) from None
    if not ray.is_initialized():
        ray.init(include_dashboard=False, log_to_driver=False, logging_level=logging.WARNING)
    ray.data.DataContext.get_current().enable_progress_bars = False  # there is one already
    actors = workers or max(1, int(ray.cluster_resources().get("CPU", 1)))
    blocks = min(len(units), _MOST_BLOCKS)
    done = ray.data.from_items(
        [{"unit": unit} for unit in units], override_num_blocks=blocks
    ).map_batches(
        _Actor,
        fn_constructor_args=(job,),
        batch_size=1,
        num_cpus=1,
        compute=ray.data.ActorPoolStrategy(min_size=1, max_size=actors),
    )
    for row in done.iter_rows():
        if row["error"]:
            raise UserError(row["error"])
        yield int(row["frames"])


class _Actor:
    """A worker in a process of its own, on one CPU."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._worker: UnitWorker | None = None

    def __call__(self, batch: dict[str, Any]) -> dict[str, list[Any]]:
        """Do units; an error that the user can mend is told in one line, not as Ray's traceback."""
        import torch

        torch.set_num_threads(1)
        frames, error = 0, ""
        try:
            self._worker = self._worker or UnitWorker(self._job)
            frames = sum(self._worker.run(str(unit)) for unit in batch["unit"])
        except UserError as raised:
            error = str(raised)
        return {"frames": [frames], "error": [error]}
