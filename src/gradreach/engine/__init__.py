"""The recurrence engine: each cell is its step and its adjoint in closed form; reach, bounds and spectrum follow."""
