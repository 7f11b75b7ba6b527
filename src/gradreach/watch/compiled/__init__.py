"""Compiled code under watch: the script's own call runs untouched, and on a watched step its eager form beside it.

calls: what `torch.compile` returned, and what each call of it is shown to
shadow: the eager form of a step's compiled calls, run beside them
side_effects: what a call may leave behind in the script's objects, taken before and put back
draws: where every generator of random numbers stands
joined: what is seen of a step, by its own watch and by its shadow
"""
