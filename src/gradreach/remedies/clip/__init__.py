"""Clip gradients between backward and the optimizer's step, by a fixed rule or by one that reads the norm's history.

auto: the rule that finds the highest threshold which keeps a run free of spikes.
clip: `Clip`, which measures the gradients and applies a rule, and `Curve`, what it did.
norm_rules: rules that cut the whole gradient to a length: a fixed norm, a percentile, a z-score.
part_rules: rules that bound each number, each tensor or each unit by itself.
scalar: arithmetic that is written once for floats on the host and 0-d tensors on a GPU.

>>> import torch, gradreach as gr
>>> model = torch.nn.Linear(3, 1)
>>> clip = gr.Clip(model, 0.5)
>>> model(100 * torch.ones(1, 3)).sum().backward()
>>> norm = clip()                                   # before clipping
>>> float(norm) > 100, round(float(model.weight.grad.norm()), 3)
(True, 0.5)
"""

from gradreach.remedies.clip.auto import Auto
from gradreach.remedies.clip.clip import Clip, Curve
from gradreach.remedies.clip.norm_rules import Norm, Percentile, ZScore
from gradreach.remedies.clip.part_rules import Adaptive, PerLayer, Value

__all__ = ["Adaptive", "Auto", "Clip", "Curve", "Norm", "PerLayer", "Percentile", "Value", "ZScore"]
