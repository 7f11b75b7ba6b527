"""Formulas as the rules write them, a line of plain text each, set as MathML.

tree: what a formula is made of
reading: a line of text as a tree, without fractions
fractions: strokes within a tree as fractions
setting: a tree as text and MathML
"""

from .setting import typeset

__all__ = ["typeset"]
