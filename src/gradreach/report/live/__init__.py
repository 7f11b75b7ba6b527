"""Where a run stands while it goes on.

progress_line: where a run stands, in one line.
live_line: that line on stderr, in place at a terminal.
follow: `gradreach report --follow`.
"""
