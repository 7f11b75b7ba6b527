"""Does gradreach work here? One check after another, each a line with what to do where something is wrong.

check: what a check is, and how all of them are made
checks: the checks, one a file
process: a check's question to a process of its own
trial: a tiny RNN that trains, watched or not
compiled_training: a process that trains a compiled model under watch
compiled_loops: the compiled loops of gr.nn, made ahead of the first training
process_group: a process that makes a gloo group of one
"""
