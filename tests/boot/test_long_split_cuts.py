# SPDX-License-Identifier: MIT
"""The claims of test_split_cuts.py with forty cuts of power."""
import pytest

from test_split_cuts import play


@pytest.mark.parametrize("kind", ["ext2", "ext3"])
def test_cuts(tmp_path, kind):
    play(f"split-long-{kind}", tmp_path, kind, 20, 60, 2)
