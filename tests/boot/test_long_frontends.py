# SPDX-License-Identifier: MIT
"""Claim: as test_hostile_frontends.py, for five minutes (issue 3, acceptance 5)."""
from test_hostile_frontends import attacked


def test_five_minutes_of_hostile_frontends(tmp_path):
    attacked("long-frontends", 300, tmp_path)
