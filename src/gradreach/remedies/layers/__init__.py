"""Drop-in recurrent layers with the remedies built in, and a skip connection through depth."""

from gradreach.remedies.layers.layers import GRU, LSTM, RNN
from gradreach.remedies.layers.residual import Residual

__all__ = ["GRU", "LSTM", "RNN", "Residual"]
