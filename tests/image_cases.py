"""Generated images in files."""

import numpy as np
from PIL import Image


def write_image(path, seed, size=(40, 30)):
    """A picture of smooth noise, (width, height); the format follows the suffix."""
    path.parent.mkdir(parents=True, exist_ok=True)
    coarse = np.random.default_rng(seed).integers(0, 256, size=(4, 5, 3), dtype=np.uint8)
    Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC).save(path)
    return path


def write_lists(folder, counts, kind="txt", images="images"):
    """``part.txt`` files with ``path label`` a line, whose images are of sizes of their own; paths by part."""
    made, seed = {}, 0
    for part, numbers in counts.items():
        lines = []
        for k, number in enumerate(numbers):
            for _ in range(number):
                path = f"{images}/{part} {seed}.png"
                write_image(folder / path, seed, size=(30 + seed % 7, 24 + seed % 5))
                lines.append((path, k))
                seed += 1
        made[part] = lines
        (folder / f"Mine_LT_{part}.{kind}").write_text("".join(f"{path} {k}\n" for path, k in lines))
    return made
