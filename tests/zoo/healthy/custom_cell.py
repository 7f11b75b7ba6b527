"""Which page does this stretch of text come from? A hand-made cell: one Linear called in a Python loop, with tanh."""

import sys
from pydoc_data.topics import topics

import torch
from torch import nn

torch.manual_seed(5)
pages = sorted(topics, key=lambda name: -len(topics[name]))[:4]
alphabet = sorted({c for name in pages for c in topics[name]})
code = [torch.tensor([alphabet.index(c) for c in topics[name][:12_000]]) for name in pages]
T, BATCH, STEPS = 24, 48, 500


class Reader(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(len(alphabet), 32)
        self.cell = nn.Linear(32 + 96, 96)
        self.head = nn.Linear(96, len(pages))

    def forward(self, x):
        h = torch.zeros(x.shape[1], 96)
        pooled = torch.zeros_like(h)
        for symbol in x:
            h = torch.tanh(self.cell(torch.cat([self.embed(symbol), h], dim=1)))
            pooled = pooled + h / len(x)
        return self.head(pooled)


model = Reader()
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
for step in range(STEPS):
    page = torch.randint(len(pages), (BATCH,))
    start = torch.randint(12_000 - T, (BATCH,))
    x = torch.stack([code[p][s : s + T] for p, s in zip(page.tolist(), start.tolist(), strict=True)], dim=1)
    loss = nn.functional.cross_entropy(model(x), page)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 50 == 0 or step == STEPS - 1:
        print(f"step {step} loss {loss.item():.3f}")
if len(sys.argv) > 1:
    torch.save(model.state_dict(), sys.argv[1])
