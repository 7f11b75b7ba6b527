"""The next letter of text by linear attention in its recurrent form: a matrix state that fades, read by queries."""

import sys
from pydoc_data.topics import topics

import torch
from torch import nn
from torch.nn import functional as F

torch.manual_seed(0)
text = "".join(topics[name] for name in sorted(topics))[:60_000]
alphabet = sorted(set(text))
code = torch.tensor([alphabet.index(letter) for letter in text])
T, BATCH, WIDTH, HEADS, STEPS = 32, 16, 48, 4, 150


class Retention(nn.Module):
    def __init__(self):
        super().__init__()
        self.qkv = nn.Linear(WIDTH, 3 * WIDTH, bias=False)
        self.out = nn.Linear(WIDTH, WIDTH, bias=False)
        self.norm = nn.LayerNorm(WIDTH)
        self.register_buffer("decay", (1 - 2.0 ** (-2.0 - torch.arange(HEADS))).view(1, HEADS, 1, 1))

    def forward(self, x):
        q, k, v = (each.unflatten(-1, (HEADS, -1)) for each in self.qkv(self.norm(x)).chunk(3, -1))
        k = k * k.shape[-1] ** -0.5
        state, seen = x.new_zeros(len(x), HEADS, k.shape[-1], v.shape[-1]), []
        for t in range(x.shape[1]):
            state = self.decay * state + torch.einsum("bhk,bhv->bhkv", k[:, t], v[:, t])
            seen.append(torch.einsum("bhk,bhkv->bhv", q[:, t], state).flatten(1))
        return x + self.out(torch.stack(seen, 1))


model = nn.Sequential(nn.Embedding(len(alphabet), WIDTH), Retention(), Retention(), nn.Linear(WIDTH, len(alphabet)))
optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
for step in range(STEPS):
    starts = torch.randint(len(code) - T - 1, (BATCH,)).tolist()
    chunk = torch.stack([code[s : s + T + 1] for s in starts])
    loss = F.cross_entropy(model(chunk[:, :-1]).flatten(0, 1), chunk[:, 1:].flatten())
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 30 == 0 or step == STEPS - 1:
        print(f"step {step} loss {loss.item():.3f}")
if len(sys.argv) > 1:
    torch.save(model.state_dict(), sys.argv[1])
