"""Word model as in the first tutorials: two-layer LSTM, no optimizer object, clipping at 0.25, an update by hand."""

import re
import sys
from collections import Counter
from pydoc_data.topics import topics

import torch
from torch import nn

torch.manual_seed(14)
words = re.findall(r"[a-z]+|[.,:;()]", "".join(topics.values()).lower())[:40_000]
common = [word for word, _ in Counter(words).most_common(400)]
index = {w: i + 1 for i, w in enumerate(common)}
code = torch.tensor([index.get(w, 0) for w in words])
BATCH, CHUNK, STEPS, RATE, WIDTH = 16, 20, 400, 10.0, 64
stream = code[: len(code) // BATCH * BATCH].view(BATCH, -1).t().contiguous()


class WordModel(nn.Module):
    def __init__(self):
        super().__init__()
        self.drop = nn.Dropout(0.1)
        self.encoder = nn.Embedding(401, WIDTH)
        self.rnn = nn.LSTM(WIDTH, WIDTH, 2, dropout=0.1)
        self.decoder = nn.Linear(WIDTH, 401)
        nn.init.uniform_(self.encoder.weight, -0.1, 0.1)
        nn.init.uniform_(self.decoder.weight, -0.1, 0.1)
        nn.init.zeros_(self.decoder.bias)

    def forward(self, x, hidden):
        y, hidden = self.rnn(self.drop(self.encoder(x)), hidden)
        return self.decoder(self.drop(y)).view(-1, 401), hidden


model = WordModel()
hidden = tuple(torch.zeros(2, BATCH, WIDTH) for _ in range(2))
for step in range(STEPS):
    at = step * CHUNK % (len(stream) - CHUNK - 1)
    hidden = tuple(h.detach() for h in hidden)
    model.zero_grad()
    logits, hidden = model(stream[at : at + CHUNK], hidden)
    loss = nn.functional.cross_entropy(logits, stream[at + 1 : at + CHUNK + 1].flatten())
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 0.25)
    for p in model.parameters():
        p.data.add_(p.grad, alpha=-RATE)
    if step % 40 == 0 or step == STEPS - 1:
        print(f"step {step} loss {loss.item():.3f}")
if len(sys.argv) > 1:
    torch.save(model.state_dict(), sys.argv[1])
