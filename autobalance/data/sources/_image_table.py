"""Tables that list images, which stay on disk."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from autobalance.common import InputError
from autobalance.data._options import DataOptions
from autobalance.data._problem import Problem
from autobalance.data._source import Source
from autobalance.data._split import Index
from autobalance.data._table_file import row_name
from autobalance.data.sources._image_lists import IMAGE_OPTIONS, Listing, problem_of_images
from autobalance.data.sources._labelled import open_labelled
from autobalance.data.sources._read_table import is_table

#: What the column of the images' files may be called, the first that is there: ours, that of Waterbirds' metadata, of
#: Hugging Face's folders of images, of torchvision's annotations, and of CelebA's lists.
PATHS = ("path", "img_filename", "file_name", "filename", "image_id")


def load_image_table(source: str, options: DataOptions) -> Problem:
    """Read a table with a column of `PATHS`, below ``options.images``, and the target column. What is for which part
    may be said by a column (``options.split``) or by files, see `open_rows`; other columns are not looked at.

    Raises:
        InputError: as `load_lists`, with the row.
    """
    path = Path(source)
    table = open_labelled(path, options)
    frame = table.rows.frame
    names_of_files = [name for name in PATHS if name in frame.columns]
    if not names_of_files:
        raise InputError(
            f"{path} has no column 'path', which `images` needs, nor {', '.join(PATHS[1:])}: it has "
            f"{', '.join(frame.columns)}"
        )
    column = frame[names_of_files[0]]
    if column.isna().any():
        raise InputError(f"{path}: the {column.name} is missing in {row_name(column, column.isna())}")
    paths = column.astype(str).to_numpy(dtype=object)

    def listing(index: Index) -> Listing:
        return Listing(
            paths[index].tolist(),
            table.targets[index],
            lambda i: f"{path.name}, {row_name(column, np.arange(len(column)) == index[i])}",
            table.group(index),
        )

    listed = {part: listing(index) for part, index in (table.rows.given or {"train": np.arange(len(paths))}).items()}
    names = table.class_names, table.group_names
    return problem_of_images(table.rows.name, listed, path.parent, options, *names)


IMAGE_TABLE = Source(
    "image-table",
    "a table that lists images in a column 'path', with `images`",
    load_image_table,
    IMAGE_OPTIONS | {"target", "na_values", "split", "group"},
    matches=lambda source, options: options.images is not None and is_table(source),
)
