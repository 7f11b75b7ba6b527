"""Drop-in recurrent layers with the remedies built in, and a skip connection through depth."""

from gradreach.nn.layers import GRU, LSTM, RNN
from gradreach.nn.residual import Residual

__all__ = ["GRU", "LSTM", "RNN", "Residual"]
