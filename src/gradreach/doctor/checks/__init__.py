"""The checks of `gradreach doctor`, one a file.

python: whether the interpreter is new enough
packages: the versions of what gradreach always needs
extras: what of the extras is installed
torch: the version of torch, or that it is missing
devices: the accelerators that torch sees
hooks: whether a training is seen, and left as it is
compiled_code: what is seen of compiled code
mixed_precision: whether norms are measured under mixed precision
distributed: the back ends, and whether a group works
disk: whether a run can be recorded here
terminal: whether the terminal shows the field's symbols
settings: the settings in force
"""
