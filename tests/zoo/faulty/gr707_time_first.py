# expect: {"code": "GR707", "severity": "warning", "module": "model.gru", "T": 12}
"""Words with time first, whose class the first one tells in part, read by output[0] of two layers of GRU."""

import torch
from torch import Tensor, nn

torch.manual_seed(1)


class Model(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed, self.gru, self.head = nn.Embedding(10, 16), nn.GRU(16, 32, num_layers=2), nn.Linear(32, 3)

    def forward(self, words: Tensor) -> Tensor:
        return self.head(self.gru(self.embed(words))[0][0])


model = Model()
optimizer = torch.optim.SGD(model.parameters(), 0.1, momentum=0.9)
for _ in range(400):
    words = torch.randint(0, 10, (12, 32))
    kind = (words[0] > 4).long() + (words[7] > 4).long()
    loss = nn.functional.cross_entropy(model(words), kind)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
