"""The kinds of recurrent cells, one file each: a new kind is a file here and a line in `gradreach.record.kinds`.

cell: what a kind is made of, its weights, what a run leaves behind, and one step of the adjoint
registry: every kind by name and by the modules that compute it
rnn: the simple RNN with tanh, ReLU or the logistic function
gru: torch's GRU
lstm: torch's LSTM, with and without a projection
mingru: the minimal GRU, whose gates do not look at the state
minlstm: the minimal LSTM, likewise
compiled: the loops over time in compiled code
"""
