"""Are the elementary functions of the installed libraries as accurate as the constants table says?"""

from harness.surveys.accuracy.survey import Calibration, calibrate

__all__ = ["Calibration", "calibrate"]
