"""The loops over time in compiled code, for a CPU; needs numba, the extra `fast`."""
