"""Find the kinds in ROV footage that nobody labelled: crops, embeddings, clusters, names."""

from typing import TYPE_CHECKING, Any

from discover.survey import Survey, open_survey

if TYPE_CHECKING:
    from discover.cluster import cluster
    from discover.embed import embed
    from discover.frames import add_frames

__all__ = ["Survey", "add_frames", "cluster", "embed", "open_survey"]

# The compute stages import torch, umap and numba; whoever only reads a survey does not wait.
_LAZY = {"add_frames": "frames", "embed": "embed", "cluster": "cluster"}


def __getattr__(name: str) -> Any:  # noqa: ANN401 - the type is that of the function asked for
    if name in _LAZY:
        from importlib import import_module

        return getattr(import_module(f"discover.{_LAZY[name]}"), name)
    raise AttributeError(f"module 'discover' has no attribute {name!r}")
