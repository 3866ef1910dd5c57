"""Fixtures that several tests share."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# A busy machine is no failure.
settings.register_profile("steady", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("steady")

SHARED = Path(__file__).parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of real data beside the checkout."""
    if not SHARED.is_dir():
        pytest.skip("the folder of real data is not beside this checkout")
    return SHARED


@pytest.fixture(scope="session")
def digits_model():  # type: ignore[no-untyped-def]
    """A model of scikit-learn's digits, trained for real but briefly."""
    import warmer

    return warmer.learn("digits", epochs=8)


@pytest.fixture(scope="session")
def iris_model():  # type: ignore[no-untyped-def]
    """A model of the irises."""
    import warmer

    return warmer.learn("iris", epochs=20)
