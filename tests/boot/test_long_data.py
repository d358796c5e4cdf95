# SPDX-License-Identifier: MIT
"""Claim: as test_data.py, with 1 GiB (issue 3, acceptance 2)."""
from test_data import data_survives


def test_a_gibibyte_survives(tmp_path):
    data_survives("long-data", 1024, tmp_path)
