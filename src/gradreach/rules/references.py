"""The literature that several rules rest on."""

from __future__ import annotations

BENGIO = "Bengio, Simard, Frasconi (1994): Learning long-term dependencies with gradient descent is difficult"
GLOROT = "Glorot, Bengio (2010): Understanding the difficulty of training deep feedforward neural networks"
HE = "He, Zhang, Ren, Sun (2015): Delving deep into rectifiers"
PASCANU = "Pascanu, Mikolov, Bengio (2013): On the difficulty of training recurrent neural networks"
WILLIAMS = "Williams, Peng (1990): An efficient gradient-based algorithm for on-line training of recurrent networks"

DATA = (
    "Rao (1948): Large sample tests of statistical hypotheses concerning several parameters",
    "Hemerik, Goeman, Finos (2020): Robust testing in generalized linear models by sign flipping score contributions",
    "Shah, Peters (2020): The hardness of conditional independence testing and the generalised covariance measure",
    "Bell, McCaffrey (2002): Bias reduction in standard errors for linear regression with multi-stage samples",
    "Benjamini, Hochberg (1995): Controlling the false discovery rate",
    "Hochreiter, Bengio, Frasconi, Schmidhuber (2001): Gradient flow in recurrent nets",
)
"""Of the rules on what the data asks for."""
