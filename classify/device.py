"""Where and in which precision a network runs."""

import copy
import functools
from contextlib import AbstractContextManager
from itertools import pairwise
from pathlib import Path

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval


@functools.cache
def best_device() -> torch.device:
    """Return the GPU where there is one, else the CPU."""
    if torch.cuda.is_available():
        return torch.device("cuda")
    if torch.backends.mps.is_available():
        return torch.device("mps")
    return torch.device("cpu")


@functools.cache
def has_fast_bfloat16() -> bool:
    """Whether the CPU multiplies bfloat16 in hardware; emulated, it is slower than float32."""
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="ignore")
    except OSError:
        return False
    return "avx512_bf16" in flags or "amx_bf16" in flags


def place(model: nn.Module) -> nn.Module:
    """Move a network to the best device, in the memory layout that convolutions are fastest in."""
    return model.to(best_device(), memory_format=torch.channels_last)  # type: ignore[call-overload]


@torch.inference_mode()
def for_inference(backbone: nn.Module) -> nn.Module:
    """Return a copy of a backbone with batch norms folded into the convolutions before them.

    A norm that follows a convolution by registration need not follow it in the data flow, so the
    copy is used only where it gives the same features; else the backbone itself is returned.
    """
    folded = copy.deepcopy(backbone).eval()
    for module in list(folded.modules()):
        for (name, layer), (norm_name, norm) in pairwise(list(module.named_children())):
            if (
                isinstance(layer, nn.Conv2d)
                and isinstance(norm, nn.BatchNorm2d)
                and layer.out_channels == norm.num_features
                and norm.track_running_stats
            ):
                setattr(module, name, fuse_conv_bn_eval(layer, norm))
                setattr(module, norm_name, getattr(norm, "act", nn.Identity()))
    example = torch.rand(1, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    try:
        same = torch.allclose(
            folded.forward_features(example),  # type: ignore[operator]
            backbone.forward_features(example),  # type: ignore[operator]
            rtol=1e-3,
            atol=1e-3,
        )
    except (RuntimeError, AssertionError):  # another input size or device than the example's
        same = False
    return folded if same else backbone


def inference_precision() -> AbstractContextManager[object]:
    """Return the context in which inference is fastest here at harmless loss of precision."""
    device = best_device()
    if device.type == "cuda":
        return torch.autocast("cuda", dtype=torch.float16)
    enabled = device.type == "cpu" and has_fast_bfloat16()
    return torch.autocast("cpu", dtype=torch.bfloat16, enabled=enabled)


def batch_size(height: int, width: int) -> int:
    """Return how many images of height x width pixels a network takes at a time, fastest.

    On a CPU, few: activations beyond about 32 MB are handed back to the system after every layer,
    and fetching them again costs as much as the convolutions.
    """
    if best_device().type == "cpu":
        return max(1, 400_000 // (height * width))
    return 32
