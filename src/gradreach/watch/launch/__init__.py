"""`gradreach run`: someone else's program, under watch.

program: runs the program as `python` runs it
launch: watches it from its import of torch to its end
"""
