"""Restore capitals in lower-cased lines of text: stacked bidirectional LSTM, dropout, packed sequences."""

import sys
from pydoc_data.topics import topics

import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence, pad_sequence

torch.manual_seed(3)
lines = [line.strip() for page in topics.values() for line in page.splitlines() if 12 <= len(line.strip()) <= 40]
alphabet = sorted({c for line in lines for c in line.lower()})
index = {c: i + 1 for i, c in enumerate(alphabet)}
BATCH, STEPS = 16, 120


class Tagger(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(len(alphabet) + 1, 24, padding_idx=0)
        self.lstm = nn.LSTM(24, 48, num_layers=2, bidirectional=True, dropout=0.2, batch_first=True)
        self.head = nn.Linear(96, 1)

    def forward(self, x, lengths):
        packed = pack_padded_sequence(self.embed(x), lengths, batch_first=True, enforce_sorted=False)
        y, _ = pad_packed_sequence(self.lstm(packed)[0], batch_first=True)
        return self.head(y).squeeze(-1)


model = Tagger()
optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
for step in range(STEPS):
    chosen = [lines[i] for i in torch.randint(len(lines), (BATCH,))]
    lengths = torch.tensor([len(line.lower()) for line in chosen])
    x = pad_sequence([torch.tensor([index[c] for c in line.lower()]) for line in chosen], batch_first=True)
    capital = pad_sequence([torch.tensor([float(c.isupper()) for c in line]) for line in chosen], batch_first=True)
    mask = torch.arange(x.shape[1]) < lengths[:, None]
    loss = nn.functional.binary_cross_entropy_with_logits(model(x, lengths)[mask], capital[mask])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 20 == 0 or step == STEPS - 1:
        print(f"step {step} loss {loss.item():.4f}")
if len(sys.argv) > 1:
    torch.save(model.state_dict(), sys.argv[1])
