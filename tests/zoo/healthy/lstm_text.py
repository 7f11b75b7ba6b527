"""Character model of English text: LSTM, loss at every step, state carried from chunk to chunk and detached."""

import sys
from pydoc_data.topics import topics

import torch
from torch import nn

torch.manual_seed(0)
text = "".join(topics.values())
alphabet = sorted(set(text))
code = torch.tensor([alphabet.index(c) for c in text[:160_000]])
BATCH, CHUNK, STEPS = 16, 32, 300
stream = code[: len(code) // BATCH * BATCH].view(BATCH, -1).t().contiguous()


class CharModel(nn.Module):
    def __init__(self, symbols):
        super().__init__()
        self.embed = nn.Embedding(symbols, 32)
        self.lstm = nn.LSTM(32, 96)
        self.head = nn.Linear(96, symbols)

    def forward(self, x, state):
        y, state = self.lstm(self.embed(x), state)
        return self.head(y), state


model = CharModel(len(alphabet))
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
state = (torch.zeros(1, BATCH, 96), torch.zeros(1, BATCH, 96))
for step in range(STEPS):
    at = step * CHUNK % (len(stream) - CHUNK - 1)
    x, target = stream[at : at + CHUNK], stream[at + 1 : at + CHUNK + 1]
    logits, state = model(x, tuple(s.detach() for s in state))
    loss = nn.functional.cross_entropy(logits.flatten(0, 1), target.flatten())
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    if step % 50 == 0 or step == STEPS - 1:
        print(f"step {step} loss {loss.item():.3f}")
if len(sys.argv) > 1:
    torch.save(model.state_dict(), sys.argv[1])
