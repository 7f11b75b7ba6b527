"""The data that all layers speak: frozen records of one run, how they are written as it goes on, and how they are read.

schema: what was seen of one run, as frozen dataclasses.
look: all that was seen on one watched step.
seen: its parts, one file for each thing that lenses look at.
entries: the entries that a run writes one after another, and the record that they add up to.
first_update: how many passes the first update was made of, which only its end shows.
nonfinite: when a number counts as not finite, and when the loss scale alone may have made it so.
kinds: the kinds of recurrent cells, one line each, without torch.
ranks: the records of several ranks as one.
norm_history: the norms before a step, and when the next one is a spike.
progress: how far a run is, at little cost.
process: whether the process that records still goes on.
sinks: the places that a run is written to.
store: reading recordings, whole or as they grow.
has_card: what shows itself in a notebook and on a terminal.
byte_sizes: numbers of bytes, as people write and read them.
members: how the members of a family are found, in their folder and in other packages.
"""
