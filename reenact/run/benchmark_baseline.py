"""Compares a benchmark with an earlier one of the same kind of machine: ratios only, never times.

A busy or throttled machine slows an edit and its upper limit alike, so that their ratio hardly changes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from calib.json_file import read_json
from reenact.run.benchmark import Measurement

_KIND = ("system", "processor", "cores")
"""The properties by which machines are of one kind; versions of libraries may differ."""
TOLERANCE = 0.1
"""The default of the greatest loss of speed, as a share of the earlier one; three rounds repeat to 0.05."""


class BaselineError(ValueError):
    """A baseline that cannot be read, or that does not fit; the message is one line for the user."""


@dataclass(frozen=True)
class Baseline:
    """The figures of an earlier benchmark."""

    machine: Mapping[str, Any]
    """The properties of the machine, as `this_machine` gives them."""
    generator: str
    """The generator that was measured."""
    shares: Mapping[str, float]
    """The speed of the edit, as a share of its upper limit, by the name of the case."""
    stages: Mapping[str, Mapping[str, float]]
    """By the name of the case: the median time of each stage, as a multiple of the upper limit's time for a
    frame."""

    def require_kind(self, machine: Mapping[str, Any], generator: str, names: Sequence[str]) -> None:
        """Raises BaselineError unless machine, generator and cases are those of the baseline."""
        for key in _KIND:
            if self.machine.get(key) != machine[key]:
                before = self.machine.get(key)
                raise BaselineError(
                    f"the baseline is of another machine: its {key} is {before}, here {machine[key]}; "
                    "make one here with --json"
                )
        if self.generator != generator:
            raise BaselineError(f"the baseline is of --generator {self.generator}, not {generator}")
        for name in names:
            if name not in self.shares:
                raise BaselineError(f"the baseline has no case {name!r}; it has {', '.join(self.shares)}")


@dataclass(frozen=True)
class Comparison:
    """One ratio, earlier and now."""

    name: str
    """The name of the case or the stage."""
    before: float
    """The ratio of the baseline."""
    now: float
    """The ratio that was measured now."""

    @property
    def change(self) -> float:
        """The change as a share of the earlier ratio; 0 if both are 0."""
        return self.now / self.before - 1 if self.before > 0 else 0.0


def load_baseline(path: Path) -> Baseline:
    """The baseline in a JSON file that `reenact bench --json` has written. Raises BaselineError."""
    try:
        document = read_json(path, BaselineError)
        cases = {str(case["name"]): case for case in document["cases"]}
        return Baseline(
            dict(document["machine"]),
            str(document["generator"]),
            {name: float(case["share"]) for name, case in cases.items()},
            {
                name: {
                    stage: float(times["p50_ms"]) * float(case["ceiling_fps"]) / 1000
                    for stage, times in case["stages"].items()
                }
                for name, case in cases.items()
            },
        )
    except BaselineError as error:
        raise BaselineError(f"{path} {error}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BaselineError(f"{path} is no file that 'reenact bench --json' has written") from error


def share_of(baseline: Baseline, measurement: Measurement) -> Comparison:
    """The speed of an edit as a share of its upper limit, earlier and now."""
    return Comparison(measurement.name, baseline.shares[measurement.name], measurement.share)


def stages_of(baseline: Baseline, measurement: Measurement) -> list[Comparison]:
    """The times of the stages that both have, as multiples of the upper limit's time for a frame."""
    before = baseline.stages[measurement.name]
    return [
        Comparison(stage, before[stage], times.p50_ms * measurement.ceiling_fps / 1000)
        for stage, times in measurement.stages.items()
        if stage in before
    ]
