"""Fill in masked characters of English text with nn.TransformerEncoder."""

import sys
from pydoc_data.topics import topics

import torch
from torch import nn

torch.manual_seed(6)
text = "".join(topics.values())[:100_000]
alphabet = sorted(set(text))
code = torch.tensor([alphabet.index(c) for c in text])
MASK, T, BATCH, STEPS = len(alphabet), 32, 16, 300


class Filler(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(len(alphabet) + 1, 64)
        self.place = nn.Parameter(0.02 * torch.randn(T, 64))
        layer = nn.TransformerEncoderLayer(64, 4, 128, dropout=0.1, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2)
        self.head = nn.Linear(64, len(alphabet))

    def forward(self, x):
        return self.head(self.encoder(self.embed(x) + self.place))


model = Filler()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
for step in range(STEPS):
    start = torch.randint(len(code) - T, (BATCH,))
    target = torch.stack([code[s : s + T] for s in start.tolist()])
    hidden = torch.rand(BATCH, T) < 0.2
    loss = nn.functional.cross_entropy(model(target.masked_fill(hidden, MASK))[hidden], target[hidden])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 50 == 0 or step == STEPS - 1:
        print(f"step {step} loss {loss.item():.3f}")
if len(sys.argv) > 1:
    torch.save(model.state_dict(), sys.argv[1])
