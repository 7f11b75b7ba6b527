"""What the question to the data rests on: samples of the script's own steps.

local_errors: the local errors of one watched step, beside what they may depend on
step_data: the data that modules are given on one step
stream: data that come in chunks, and what precedes the chunk of a look
dependency_samples: the samples of the latest looks, and when they are tested
"""
