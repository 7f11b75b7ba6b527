"""The loops over time in compiled code, for a CPU where numba is installed.

loops: what the loops of every kind share
rnn: those of the simple RNN
gru: those of the GRU
lstm: those of the LSTM
product: the product of many rows with a matrix
simd: what they are made of, rows times a matrix and loops over the units of a row
"""
