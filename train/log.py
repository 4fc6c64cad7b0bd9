"""The log of a run: lines on a terminal, stats.jsonl, preview pictures, TensorBoard."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from torch import Tensor

from reenact.media.atomic import replacing

Say = Callable[[str], None]


class RunLog:
    """Writes into a run's folder; entries after `images` seen pictures are replaced."""

    def __init__(self, run: Path, images: int) -> None:
        self._stats = run / "stats.jsonl"
        self._previews = run / "previews"
        self._previews.mkdir(parents=True, exist_ok=True)
        _forget_after(images, self._stats)
        self._board = _open_board(run, images)

    def scalars(self, images: int, values: Mapping[str, float]) -> None:
        """Writes values after this number of images to stats.jsonl and TensorBoard."""
        with self._stats.open("a", encoding="utf-8") as stream:
            # JSON has no infinity and no NaN.
            known = {name: value if math.isfinite(value) else None for name, value in values.items()}
            stream.write(json.dumps({"images": images, **known}) + "\n")
        if self._board is not None:
            for name, value in values.items():
                self._board.add_scalar(name, value, images)

    def preview(self, images: int, rows: Tensor) -> None:
        """Writes `rows` (n, 3, height, width), 0..1, below one another."""
        pictures = rows.detach().float().clamp(0, 1).mul(255).round().byte().cpu().numpy()
        sheet = np.concatenate(list(pictures.transpose(0, 2, 3, 1)))
        with replacing(self._previews / f"{images:09d}.png") as beside:
            cv2.imwrite(str(beside), np.ascontiguousarray(sheet[:, :, ::-1]))
        if self._board is not None:
            self._board.add_image("preview", sheet, images, dataformats="HWC")

    def close(self) -> None:
        """Closes the log."""
        if self._board is not None:
            self._board.close()


def progress_line(
    images: int, total: int, images_per_s: float, left_s: float, losses: Mapping[str, float]
) -> str:
    """Returns a line with the progress, the speed, the remaining time in seconds and the losses."""
    terms = " ".join(f"{name} {value:.4g}" for name, value in losses.items())
    return f"{images}/{total} images  {images_per_s:.1f}/s  {duration(left_s)} left  {terms}"


def duration(seconds: float) -> str:
    """Returns a duration such as 1h05m, 4m10s or 9s."""
    minutes, whole_s = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}h{minutes:02d}m"
    return f"{minutes}m{whole_s:02d}s" if minutes else f"{whole_s}s"


def _forget_after(images: int, stats: Path) -> None:
    """Deletes the lines after the checkpoint, since an interrupted run trains that part again."""
    if not stats.is_file():
        return
    lines = stats.read_text(encoding="utf-8").splitlines(keepends=True)
    kept = [line for line in lines if line.endswith("\n") and json.loads(line)["images"] <= images]
    if kept != lines:
        with replacing(stats) as beside:
            beside.write_text("".join(kept), encoding="utf-8")


def _open_board(run: Path, images: int) -> Any:
    """Opens TensorBoard's writer. None: TensorBoard is not installed."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return None
    return SummaryWriter(str(run), purge_step=images + 1)
