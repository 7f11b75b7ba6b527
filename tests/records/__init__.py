"""Records made by hand: the one factory that all tests take theirs from.

parts: builders of steps, looks, layers, bands of lags and of a whole record from them
runs: one record for each shape of run that a report must render
pairs: noisy runs of one level or of two, to be compared
speaking: for each rule one record, or one for each of its formulas, in which it speaks
advised: records whose findings name every piece of advice, for every code that it answers
findings: findings to stand in a report beside a record, without a rule having spoken
writing: a record written to a folder, as a watched run leaves it
"""
