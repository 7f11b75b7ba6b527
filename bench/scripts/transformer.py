"""A two-layer causal transformer on characters: B 16, T 64, width 128, 4 heads."""

import torch
from torch import Tensor, nn
from training import characters, options, train, windows


class LanguageModel(nn.Module):
    def __init__(self, alphabet: int, length: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(alphabet, 128)
        self.position = nn.Parameter(0.02 * torch.randn(length, 128))
        block = nn.TransformerEncoderLayer(128, 4, 512, dropout=0.1, batch_first=True, norm_first=True)
        self.blocks = nn.TransformerEncoder(block, 2, enable_nested_tensor=False)
        self.output = nn.Linear(128, alphabet)

    def forward(self, tokens: Tensor) -> Tensor:
        length = tokens.shape[1]
        mask = nn.Transformer.generate_square_subsequent_mask(length)
        hidden = self.blocks(self.embedding(tokens) + self.position[:length], mask=mask, is_causal=True)
        return self.output(hidden)


arguments = options()
torch.manual_seed(arguments.seed)
text, alphabet = characters()
model = LanguageModel(alphabet, length=64)


def loss_of_batch() -> Tensor:
    tokens = windows(text, batch=16, length=64)
    return nn.functional.cross_entropy(model(tokens[:, :-1]).flatten(0, 1), tokens[:, 1:].flatten())


train(model, loss_of_batch, arguments)
