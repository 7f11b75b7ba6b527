"""Drop-in recurrent layers with the remedies built in."""

from gradreach.nn.layers import GRU, LSTM, RNN

__all__ = ["GRU", "LSTM", "RNN"]
