# SPDX-License-Identifier: MIT
"""The claims of test_ext2.py with two hundred cuts of power."""
import pytest

from test_ext2 import play_cuts


@pytest.mark.parametrize("kind,cuts", [("ext3", 140), ("ext2", 60)])
def test_cuts(tmp_path, kind, cuts):
    play_cuts(f"ext2-long-{kind}", tmp_path, kind, cuts, rounds=100, seed=2)
