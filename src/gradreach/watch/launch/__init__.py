"""`gradreach run`: someone else's program, under watch.

program: runs the program as `python` runs it
options: how it is to be watched
launch: watches it from its import of torch to its end
children: watches the processes that it starts by multiprocessing
"""
