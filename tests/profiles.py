"""Hypothesis profiles: how many examples a property test tries.

quick     a fifth of them, the same in every run: a red test is red because of the change, not by chance
thorough  all of them, other ones in every run; a failure prints the line that repeats it

HYPOTHESIS_PROFILE=thorough, or pytest's --hypothesis-profile thorough, chooses the second. Neither has a deadline: a
busy machine is no failure.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from hypothesis import HealthCheck, settings

settings.register_profile("quick", max_examples=20, derandomize=True, deadline=None)
settings.register_profile("thorough", max_examples=100, print_blob=True, deadline=None)


def load_profile() -> None:
    """Load the profile that HYPOTHESIS_PROFILE names, before the tests are imported."""
    settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE") or "quick")


def examples(number: int, suppress: Sequence[HealthCheck] = ()) -> settings:
    """Return the settings of a test that tries `number` examples in the thorough profile, fewer in the quick one."""
    return settings(max_examples=max(1, number * settings().max_examples // 100), suppress_health_check=suppress)
