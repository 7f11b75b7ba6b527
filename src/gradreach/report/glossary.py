"""The symbols and words of the tables in plain words, for those who meet them for the first time."""

from __future__ import annotations

from collections.abc import Mapping

TERMS: Mapping[str, str] = {
    "T": "The number of steps in the sequence.",
    "step": "The watched step that the figures were taken on.",
    "horizon": "How many steps back 1 % or more of the gradient still arrives, without a gap.",
    "factor": "What each step back multiplies the gradient by: below 1 it shrinks, above 1 it grows.",
    "factor over all lags": "What each step back multiplies the gradient by, fitted over all of them.",
    "bound γλ": "No step back can multiply the gradient by more than this.",
    "γ": "The steepest slope that the activation can have; for tanh and ReLU it is 1.",
    "mean γ": "The slope that the activation really had, on average over the batch.",
    "λ": "How much the recurrent weights W_hh can stretch a vector at most: their spectral norm.",
    "ρ": "The size of the largest eigenvalue of W_hh: what the weights alone multiply a state by in the long run.",
    "lyapunov": "The growth of a small change of the state per step, as a logarithm: below 0 it dies out.",
    "reach": "The part of the gradient that arrives so many steps back, relative to no step back.",
    "reach at the farthest lag": "The part of the gradient that arrives at the first step of the sequence.",
    "lag": "A number of steps back in time.",
    "steps back": "How far in the past the input lies that was asked about.",
    "most at": "Where within these steps the error depends on the input most.",
    "z": "How far the measured sum lies from mere luck, in standard deviations.",
    "p": "How often luck alone would give as much, were there nothing.",
    "q": "The same as p after correction for all the lags that were tested: small means that it is no luck.",
    "share": "The part of the error's variance that the input there could explain.",
    "detectable share": "A share of this size would have been found 95 times in 100.",
    "saturated": "The share of activations so close to their limit that they let hardly any gradient through.",
    "dead": "The share of ReLU units that are 0 for the whole batch, and so get no gradient.",
    "exact": "Whether the layer was replayed without deviation and every step's error was followed.",
    "gradient rms": "The usual size of an entry of the gradient at the module's output (root mean square).",
    "activation rms": "The usual size of an entry of the module's output (root mean square).",
    "‖w‖": "The size of the weights: the root of the sum of their squares.",
    "‖∂L/∂w‖": "The size of the gradient of the weights.",
    "‖Δw‖/‖w‖": "How far one step moves the weights, relative to their size; a thousandth is usual.",
    "median norm": "The size of the whole gradient on a usual step.",
    "largest norm": "The size of the whole gradient on the step where it was largest.",
    "clip threshold": "The size to which the script cuts a larger gradient down.",
    "clipped": "The share of the steps on which the gradient was cut down to the threshold.",
}
