"""A recurrence of one's own: a cell made from any step."""
