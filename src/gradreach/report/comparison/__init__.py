"""What changed between two recordings: finding by finding, curve over curve, with the noise said."""

from gradreach.report.comparison.comparison import Comparison as Comparison
from gradreach.report.comparison.comparison import compare as compare
