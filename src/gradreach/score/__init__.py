"""The question to the data: does the error depend on the inputs further back, given the near ones and the state?

arguments: checks of what the test is given.
covariates: what is held fixed while a far lag is tested.
dependency: `gr.dependency`, the test over all bands of lags.
followed: directions that the error follows in the inputs or the state, and their powers.
features: what of an input the test looks at.
sign_flips: the null distribution, by flipping signs, and corrections for many tests.
ladder: which lags are asked about together.
lagged_inputs: the inputs that lie a lag or a band of lags before a position.
regression: least squares on the covariates.
rows: the errors as rows, one a position.
score_statistic: the score test of one band.
stretches: which sequences are cut from one stretch of data.
"""
