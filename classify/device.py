"""Where and in which precision a network runs."""

import functools
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import torch
from threadpoolctl import threadpool_limits
from torch import nn


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


def inference_precision() -> AbstractContextManager[object]:
    """Return the context in which inference is fastest here at harmless loss of precision."""
    device = best_device()
    if device.type == "cuda":
        return torch.autocast("cuda", dtype=torch.float16)
    enabled = device.type == "cpu" and has_fast_bfloat16()
    return torch.autocast("cpu", dtype=torch.bfloat16, enabled=enabled)


def training_precision() -> AbstractContextManager[object]:
    """Return the context for training: bfloat16 where the hardware has it, else float32.

    bfloat16 has the range of float32, so that no loss scaling is needed.
    """
    device = best_device()
    if device.type == "cuda":
        enabled = torch.cuda.is_bf16_supported()
        return torch.autocast("cuda", dtype=torch.bfloat16, enabled=enabled)
    enabled = device.type == "cpu" and has_fast_bfloat16()
    return torch.autocast("cpu", dtype=torch.bfloat16, enabled=enabled)


@contextmanager
def one_thread() -> Iterator[None]:
    """Run small products on one thread, PyTorch's and numpy's: handing them on costs more."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with threadpool_limits(limits=1, user_api="blas"):
            yield
    finally:
        torch.set_num_threads(threads)


def batch_size(height: int, width: int) -> int:
    """Return how many images of height x width pixels a network takes at a time, fastest.

    On a CPU, few: activations beyond about 32 MB are handed back to the system after every layer,
    and fetching them again costs as much as the convolutions.
    """
    if best_device().type == "cpu":
        return max(1, 400_000 // (height * width))
    return 32
