"""The commands, one file each; `gradreach --help` lists them in this order.

run: a script or module under watch
demo: a small network under watch, one for each question
tasks: the tasks that the theory is taught with, listed or trained under watch
experiments: what the theory claims, measured
report: what a recording holds, in words and as a page
check: the exit code of a recording, for scripts and CI
compare: what changed from one recording to another
explain: what a rule looks for, and what to do
rules: every rule, and the package that brings it
doctor: whether gradreach works here
"""
