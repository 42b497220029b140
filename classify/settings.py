"""How a classifier is trained. Light."""

from dataclasses import dataclass

from classify.effects import check
from classify.runs import Config


@dataclass(frozen=True)
class TrainConfig(Config):
    """How a classifier is trained: first the heads on the frozen trunk, then the whole network.

    Attributes:
        split: "dive" or "burst" keep each on one side; "random" splits images, which inflates
            scores; "table" takes the column `split` or `fold` of the data.
        validation: share of the images that is held out: 0.25 makes four folds.
        fold: which of the folds is held out.
        final: afterwards train once more, on all images, with what was chosen before.
        seed: of split, initial weights, order and augmentation.
        strength: of the penalty on the heads' weights; 0 chooses it by dives of the training
            images.
        tune_epochs: passes of the whole network over the images, at most; 0 leaves the trunk as it
            is.
        tune_patience: epochs without a better score, on dives left out of the tuning, after which
            it ends.
        tune_rate: AdamW's learning rate for the heads and the uppermost block.
        layer_decay: each block's rate is this share of the rate of the one above it.
        weight_decay: of AdamW.
        warm_up: share of the steps in which the rate rises; from there it falls as a cosine.
        batch: images a step; gradients are summed over as many as fit at a time.
        average: decay of the running average of the weights (EMA), which is what is kept.
        augment: strength of the augmentation, 0 to 2.
        views: copies of each image, as worse recordings, that the heads learn from too; each costs
            as much as reading the images once. With "mean" pooling only.
    """

    split: str = "dive"
    validation: float = 0.25
    fold: int = 0
    final: bool = False
    seed: int = 0
    strength: float = 0.0
    tune_epochs: int = 0
    tune_patience: int = 3
    tune_rate: float = 3e-4
    layer_decay: float = 0.8
    weight_decay: float = 1e-2
    warm_up: float = 0.1
    batch: int = 16
    average: float = 0.99
    augment: float = 1.0
    views: int = 0

    def __post_init__(self) -> None:
        check("--batch", self.batch, 1, 4096)
        check("--tune-patience", self.tune_patience, 1, 1000)
        check("--tune-epochs", self.tune_epochs, 0, 1000)
        check("--average", self.average, 0, 0.99999)
        check("--strength", self.strength, 0, 100)
        check("--augment", self.augment, 0, 2)
        check("--views", self.views, 0, 20)
