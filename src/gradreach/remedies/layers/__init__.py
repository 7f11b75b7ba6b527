"""Drop-in recurrent layers with the remedies built in, and a skip connection through depth; public as `gr.nn`.

layers: RNN, GRU, LSTM, and a layer of every further kind of cell
recurrent_layer: what these share, the remedies and the closed-form scan
options: the remedies as keyword arguments, and how they go together
differentiable: the closed-form scan as one node of autograd's graph
orthogonal_weights: recurrent weights kept orthogonal while any optimizer trains them
residual: a skip connection through depth
swap: another recurrent layer in the place of a model's own
swap_state: the state of the new layer in the form that the script around it knows
swap_optimizer: the weights of the new layer in the place of the old ones in an optimizer
joint_state: the state of an LSTM for code that knows h alone
"""

from gradreach.remedies.layers.layers import GRU, LSTM, OTHERS, RNN
from gradreach.remedies.layers.recurrent_layer import RecurrentLayer
from gradreach.remedies.layers.residual import Residual

__all__ = ["GRU", "LSTM", "RNN", "Residual"]


def __getattr__(name: str) -> type[RecurrentLayer]:
    """The layers of the kinds of cell that torch has no layer of."""
    if name not in OTHERS:
        raise AttributeError(f"module 'gradreach.nn' has no attribute {name!r}; it has {', '.join(__dir__())}")
    return OTHERS[name]


def __dir__() -> list[str]:
    return sorted([*__all__, *OTHERS])
