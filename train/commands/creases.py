"""`python -m train creases`: fits the creases of the skin that action units make."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

import click

from calib.au import AUVector
from calib.estimator import load_estimator
from reenact.cli.errors import unusable_input
from reenact.cli.grouped import GroupedCommand
from reenact.measure.measurer import Measurer
from reenact.records import Tracked
from reenact.track import Tracker, TrackerOptions
from train.commands.fitting import output_argument
from train.data.crease_fit import CreaseOptions, Look, fit_creases, save_creases, skin_of, to_look
from train.data.items import PictureItem, load_pictures
from train.data.picture import PrepareOptions, Reason, see
from train.data.sources import open_source

_SHARP_PX = 130.0
"""The width of a face in its picture below which no lines can be seen."""


@click.command(cls=GroupedCommand, example="people/ creases.npz")
@click.argument("sources", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="SOURCE...")
@output_argument("OUT.npz")
def creases(sources: tuple[Path, ...], output: Path) -> None:
    """Fit the creases that action units make, from several pictures of the same people.

    A SOURCE is what `prepare` takes, such as a folder with aus.csv and images/. People with six or more
    pictures in the same light give creases; the others tell how rough skin usually is.

    reenact/generate/painters/creases.npz was made by this command; CREASES_CARD.md names its sources.
    """
    with unusable_input():
        items = [item for source in sources for item in open_source(source).items]
    pictures = Counter(item.person for item in items)
    looks: dict[str, list[Look]] = defaultdict(list)
    roughness: dict[str, float] = {}
    for item, tracked, aus in _faces(items):
        (face,) = tracked.faces
        roughness.setdefault(item.person, skin_of(tracked.frame, face).roughness)
        if pictures[item.person] >= CreaseOptions().least_pictures:
            looks[item.person].append(to_look(tracked.frame, face, aus))
    try:
        fitted = fit_creases(looks.values(), list(roughness.values()))
    except ValueError as error:
        raise click.ClickException(str(error)) from error
    save_creases(fitted, output)
    click.echo(
        f"{output}: lines of {len(fitted.roughness)} people, skin of {len(roughness)}, "
        f"{output.stat().st_size / 1000:.0f} kB"
    )


def _faces(items: list[PictureItem]) -> Iterator[tuple[PictureItem, Tracked, AUVector]]:
    """The items whose pictures show one sharp face, with that face and its action units."""
    measure = Measurer(load_estimator())
    options = PrepareOptions(min_face_px=_SHARP_PX, max_yaw_deg=20)
    with Tracker(TrackerOptions(stills=True, smoothing=False)) as tracker:
        for item, image in zip(items, load_pictures(items), strict=True):
            tracked = see(image, tracker, options)
            if not isinstance(tracked, Reason):
                yield item, tracked, measure(tracked).aus[0] if item.aus is None else item.aus
