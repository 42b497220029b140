import pytest
import timm
import torch
from torch import Tensor, nn

from classify.backbones import Trunk
from classify.fold import folded


@pytest.fixture(scope="module")
def images() -> Tensor:
    return torch.randint(0, 256, (2, 64, 64, 3), generator=torch.Generator().manual_seed(0)).byte()


def _norms(module: nn.Module) -> int:
    return sum(isinstance(part, nn.BatchNorm2d) for part in module.modules())


def _lived_in(module: nn.Module) -> nn.Module:
    """Give the norms statistics as training leaves them."""
    generator = torch.Generator().manual_seed(1)
    for part in module.modules():
        if isinstance(part, nn.BatchNorm2d):
            for values in (part.running_mean, part.running_var, part.weight, part.bias):
                values.data.uniform_(0.5, 1.5, generator=generator)  # type: ignore[union-attr]
    return module.eval()


@pytest.mark.parametrize("name", ["resnet18", "tf_efficientnet_lite0", "regnetx_002"])
@pytest.mark.parametrize("levels", [1, 2])
def test_the_map_stays_and_the_norms_go(name: str, levels: int, images: Tensor) -> None:
    trunk = _lived_in(Trunk(timm.create_model(name, num_classes=0), levels=levels))
    fast = folded(trunk, images)
    other = images.flip(1)
    with torch.inference_mode():
        torch.testing.assert_close(fast(other), trunk(other), rtol=1e-3, atol=1e-3)
    assert _norms(fast) == 0
    assert _norms(trunk) > 0


class _NormOfTheSum(nn.Module):
    """What the module tree does not tell: the norm sees more than the convolution gives."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 3, padding=1)
        self.norm = nn.BatchNorm2d(3)

    def forward(self, images: Tensor) -> Tensor:
        plain = images.permute(0, 3, 1, 2).float()
        return self.norm(plain + self.conv(plain))  # type: ignore[no-any-return]


def test_a_network_that_would_change_is_left_alone(images: Tensor) -> None:
    trunk = _lived_in(_NormOfTheSum())
    assert folded(trunk, images) is trunk


def test_networks_without_batch_norms_go_through(images: Tensor) -> None:
    trunk = Trunk(timm.create_model("convnext_atto", num_classes=0)).eval()
    with torch.inference_mode():
        torch.testing.assert_close(folded(trunk, images)(images), trunk(images))
