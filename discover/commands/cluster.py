"""`discover cluster`."""

from typing import Annotated

from cyclopts import Parameter

from classify.console import print_json, say
from classify.errors import UserError
from discover.commands.options import HERE, Json, SurveyDir
from discover.summary import clustering_lines
from discover.survey import open_survey


def cluster(
    *,
    class_name: Annotated[str, Parameter(name="--class")],
    min_size: str = "auto",
    min_score: float = 0.5,
    keyframes: Annotated[bool, Parameter(name="--keyframes-only", negative="--all")] = True,
    embeddings: str | None = None,
    components: int = 20,
    dimensions: int = 8,
    neighbors: int = 15,
    seed: int = 0,
    survey: SurveyDir = HERE,
    as_json: Json = False,
) -> None:
    """Find the kinds within a class, by clustering its crops.

    Example: discover cluster --class waste

    Parameters
    ----------
    class_name
        The class: waste, fauna, ...; or frame, after `discover embed --whole-frame`.
    min_size
        Smallest group that is a cluster; auto tries a range and takes the most valid result.
    min_score
        Crops whose class is less probable are left out of this run.
    keyframes
        Cluster one frame of each burst, the others take its clusters (where `discover bursts` has
        run); --all clusters every frame.
    embeddings
        Embeddings run; by default the latest that has crops of the class.
    components
        Dimensions that PCA keeps.
    dimensions
        Dimensions that UMAP leaves for HDBSCAN.
    neighbors
        UMAP's neighbourhood: small keeps fine structure.
    seed
        The same seed gives the same clusters.
    """
    opened = open_survey(survey)
    if min_size != "auto" and not min_size.isdigit():
        raise UserError(f"--min-size {min_size!r} is neither a whole number nor auto")
    from discover.cluster import ClusterConfig
    from discover.cluster import cluster as cluster_crops

    config = ClusterConfig(
        class_name,
        min_score=min_score,
        keyframes=keyframes,
        min_size=0 if min_size == "auto" else int(min_size),
        components=components,
        dimensions=dimensions,
        neighbors=neighbors,
        seed=seed,
    )
    from classify.console import console

    with console.status("clustering") as status:
        done = cluster_crops(opened, config, embeddings=embeddings, stage=status.update)
    if as_json:
        print_json({"run": done.name, **done.info["counts"], "sizes": done.info["clusters"]})
        return
    for line in clustering_lines(done):
        say(line)
