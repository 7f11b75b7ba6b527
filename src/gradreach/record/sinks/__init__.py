"""The places that a run is written to while it goes on.

sink: what a sink must offer, and how one is registered
sqlite: one SQLite file a rank, the recording that `gradreach report` reads
memory: the record of a run kept in memory
progress: tells a callable where the run stands
recorder: writes to several sinks and goes on without one that fails
"""
