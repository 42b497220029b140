"""What is fixed to the vehicle is told apart from the scene, whatever the pictures' sizes."""

import numpy as np

from discover.scenes.background import fixed_parts


def test_a_dive_whose_pictures_change_their_size_has_a_fixed_part_too() -> None:
    rng = np.random.default_rng(0)
    large, small = (300, 400), (225, 400)
    # The first picture says the size; those in the middle of both dives are of another.
    shapes = {"a": [large, small, small], "b": [large, small, large], "c": [small] * 3}
    pictures = {
        f"{dive}{i}": rng.integers(0, 255, shape, np.uint8)
        for dive, of_dive in shapes.items()
        for i, shape in enumerate(of_dive)
    }
    dives = [name[0] for name in pictures]
    parts = fixed_parts(pictures.__getitem__, list(pictures), dives)
    assert {dive: part.mask.shape for dive, part in parts.items()} == {
        "a": large, "b": large, "c": small
    }  # fmt: skip
