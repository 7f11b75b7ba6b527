"""The data that all layers speak, and how it is written and read.

schema: what was seen of one run, as frozen dataclasses.
kinds: the kinds of recurrent cells, one line each, without torch.
spikes: what a gradient spike is.
progress: how far a run is.
process: whether the process that records is still there.
store: a recording on disk, read.
has_card: what shows itself in a notebook and on a terminal.
members: how the members of a family are found.
"""
