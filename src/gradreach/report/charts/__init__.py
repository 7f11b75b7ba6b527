"""Curves, maps, trees and cards as SVG, as data and as text; they know figures, not files.

chart: scales, ticks, paths and one kind of plot, as SVG.
chart_data: the same charts as data, for the page's script.
figures: a figure with its title, legend and caption, and those of one recurrence: adjoints, truncation.
along_depth: the figures along the modules of a model.
norm: the figures over the steps of a run.
reach: the reach curve, with the lags that the error depends on.
heat: the reach map as a heat map.
spectrum: the Lyapunov exponents beside what W_hh allows.
module_tree: the module tree of a model with its findings.
card: what is shown of one thing by itself.
cards: the card of whatever has one.
finding_card: the card of a finding.
engine_cards: the cards of a reach and of a spectrum.
notebook_card: a card as HTML for a notebook.
terminal_card: a card as rich draws it.
flow: prose in a column of a terminal.
"""
