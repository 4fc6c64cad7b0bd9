import numpy as np
import pytest

from calib.percentile import median, percentile


@pytest.mark.parametrize("count", [1, 2, 7, 14, 100])
@pytest.mark.parametrize("percent", [0, 8, 30, 50, 70, 100])
def test_it_is_numpy_s_percentile(count, percent):
    values = np.random.default_rng(count).normal(size=count).astype(np.float32)
    assert percentile(values, percent) == pytest.approx(float(np.percentile(values, percent)), abs=1e-6)
    assert median(values) == pytest.approx(float(np.median(values)), abs=1e-6)
