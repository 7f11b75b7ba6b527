"""Padding that a mask fills with 0 and leaves out after the softmax; a mask of the future at -1e4 and a soft bias."""

import torch
from torch import Tensor, nn

torch.manual_seed(0)


class Model(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed, self.score, self.head = nn.Embedding(8, 32, padding_idx=0), nn.Linear(32, 1), nn.Linear(32, 8)
        self.three = nn.Linear(32, 96)

    def forward(self, words: Tensor) -> Tensor:
        h, is_word, places = self.embed(words), words > 0, torch.arange(words.shape[1])
        q, k, v = self.three(h).chunk(3, -1)
        scores = q @ k.mT / 32**0.5 - 0.2 * (places[:, None] - places).abs()
        later = places > places[:, None]
        h = h + scores.masked_fill(later | ~is_word[:, None], -1e4).softmax(-1) @ v
        shares = self.score(h)[..., 0].masked_fill(~is_word, 0.0).softmax(1) * is_word
        return self.head((shares[..., None] / shares.sum(1)[:, None, None] * h).sum(1))


model = Model()
optimizer = torch.optim.Adam(model.parameters(), 5e-3)
for _ in range(200):
    words = torch.randint(1, 8, (32, 14)) * (torch.arange(14) < torch.randint(4, 15, (32, 1)))
    loss = nn.functional.cross_entropy(model(words), words.mode(1).values.where(words[:, 3] > 3, words[:, 0]))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
