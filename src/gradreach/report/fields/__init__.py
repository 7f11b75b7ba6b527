"""The fields of the JSON report, typed and described: its form and its schema in one.

common: what all fields share, and the kinds of numbers.
run: what was run, how it ended, what watching cost, what a guard did.
norms: the series over steps, and each line that calls backward.
looks: what was seen on watched steps, through time and through depth.
dependency: what the data was asked, and the answer at each lag.
findings: what the rules found, and where a value was first not finite.
report: the whole report.
"""
