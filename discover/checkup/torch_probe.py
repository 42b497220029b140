"""Loads torch and its kin and prints what it finds as JSON; run as a process of its own.

Libraries that do not fit each other raise in many ways, and some end the process.
"""

import json
import sys


def look() -> dict[str, object]:
    """Return releases, device, threads, precision, and where the bundled weights are."""
    import torch
    import torchvision  # type: ignore[import-untyped]
    from torchvision.ops import nms  # type: ignore[import-untyped]

    from classify.backbones import BUNDLED, WeightsError, packaged_weights
    from classify.device import best_device, has_fast_bfloat16

    boxes = torch.tensor([[0.0, 0, 2, 2], [0, 0, 2, 2]])
    nms(boxes, torch.tensor([0.9, 0.8]), 0.5)  # compiled against one release of torch
    try:
        weights = packaged_weights(BUNDLED)
        lacking = None if weights.is_file() else f"{weights} is missing"
    except WeightsError as error:
        weights, lacking = None, str(error)
    return {
        "torch": torch.__version__,
        "torchvision": torchvision.__version__,
        "device": best_device().type,
        "threads": torch.get_num_threads(),
        "onednn": torch.backends.mkldnn.is_available(),  # type: ignore[no-untyped-call]
        "bfloat16": has_fast_bfloat16(),
        "weights": str(weights),
        "lacking": lacking,
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(look()))
