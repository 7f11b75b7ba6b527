"""An MLP that guesses a character from the 16 before it: B 128, width 512, 4 layers."""

import torch
from torch import Tensor, nn
from training import characters, options, train, windows

arguments = options()
torch.manual_seed(arguments.seed)
text, alphabet = characters()
model = nn.Sequential(
    nn.Embedding(alphabet, 32),
    nn.Flatten(),
    nn.Linear(16 * 32, 512),
    nn.ReLU(),
    nn.Linear(512, 512),
    nn.ReLU(),
    nn.Linear(512, 512),
    nn.ReLU(),
    nn.Linear(512, alphabet),
)


def loss_of_batch() -> Tensor:
    tokens = windows(text, batch=128, length=16)
    return nn.functional.cross_entropy(model(tokens[:, :-1]), tokens[:, -1])


train(model, loss_of_batch, arguments)
