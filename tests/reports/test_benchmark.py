"""A figure of the benchmark is of what its name says."""

import subprocess
import sys

FAT_PARENT = """
import subprocess, sys
import numpy as np
held = np.ones(2**27)  # 1 GB
subprocess.run([sys.executable, "-c", sys.argv[1]], check=True)
"""
CERTIFY = """
from reports.benchmark import certify
certify("4-3-2-1", "sigmoid", "sum-squared-error", 150)
"""


def test_peak_memory_is_of_the_process_itself_and_not_of_its_parent():
    words = [sys.executable, "-c", FAT_PARENT, CERTIFY]
    seconds, gigabytes = subprocess.run(words, check=True, capture_output=True, text=True).stdout.split()
    assert float(seconds) > 0
    assert 0.01 < float(gigabytes) < 0.5
