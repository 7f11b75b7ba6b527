"""What changed between two recordings: finding by finding, curve over curve, with the noise said."""

from gradreach.report.compare.comparison import Comparison as Comparison
from gradreach.report.compare.comparison import compare as compare
