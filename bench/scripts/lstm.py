"""A two-layer LSTM character model: B 32, T 64, H 128."""

import torch
from torch import Tensor, nn
from training import characters, options, train, windows


class LanguageModel(nn.Module):
    def __init__(self, alphabet: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(alphabet, 64)
        self.lstm = nn.LSTM(64, 128, num_layers=2, dropout=0.1, batch_first=True)
        self.output = nn.Linear(128, alphabet)

    def forward(self, tokens: Tensor) -> Tensor:
        hidden, _ = self.lstm(self.embedding(tokens))
        return self.output(hidden)


arguments = options()
torch.manual_seed(arguments.seed)
text, alphabet = characters()
model = LanguageModel(alphabet)


def loss_of_batch() -> Tensor:
    tokens = windows(text, batch=32, length=64)
    return nn.functional.cross_entropy(model(tokens[:, :-1]).flatten(0, 1), tokens[:, 1:].flatten())


train(model, loss_of_batch, arguments)
