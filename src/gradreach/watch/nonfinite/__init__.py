"""Where a value that is not finite began: the step that went wrong is run again.

kept_calls: what is kept of every ordinary step, so that it can be run again
call_replay: one root call, run again with everything on
origin: where the first non-finite value of a step came from
alarm: when a step is taken for broken, and what is written then
"""
