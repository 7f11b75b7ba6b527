"""The public names, each with the place that it comes from; `__init__.py` finds them here when they are first used."""

import gradreach.remedies.layers
from gradreach import tasks as tasks
from gradreach.engine import theory as theory
from gradreach.engine.custom.step import Cell as Cell
from gradreach.engine.depth import depth_spectrum as depth_spectrum
from gradreach.engine.reach import reach as reach
from gradreach.engine.spectrum import spectrum as spectrum
from gradreach.observing import Watch as Watch
from gradreach.observing import diagnose as diagnose
from gradreach.observing import observe as observe
from gradreach.remedies import clip as clip
from gradreach.remedies import init as init
from gradreach.remedies.clip import Clip as Clip
from gradreach.remedies.guard.events import GaveUp as GaveUp
from gradreach.remedies.guard.guard import Guard as Guard
from gradreach.remedies.guard.options import GuardPolicy as GuardPolicy
from gradreach.remedies.guard.options import GuardSnapshots as GuardSnapshots
from gradreach.remedies.layers.swap import swap as swap
from gradreach.remedies.omega import Omega as Omega
from gradreach.remedies.orthogonal import orthogonal as orthogonal
from gradreach.remedies.tbptt.auto_k2 import AutoK2 as AutoK2
from gradreach.remedies.tbptt.batch_layout import BatchLayout as BatchLayout
from gradreach.remedies.tbptt.bptt import bptt as bptt
from gradreach.remedies.tbptt.tbptt import tbptt as tbptt
from gradreach.remedies.tbptt.truncation_bias import truncation_bias as truncation_bias
from gradreach.report.report import Report as Report
from gradreach.score.dependency import dependency as dependency

__version__: str
nn = gradreach.remedies.layers
