# SPDX-License-Identifier: MIT
"""Tests that boot machines. Two at a time at most (run.py shares them out); each keeps its log in build/logs/."""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
