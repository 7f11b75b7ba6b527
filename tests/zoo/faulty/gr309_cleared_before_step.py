# expect: {"code": "GR309", "severity": "error"}
"""A tagger over a GRU whose loop clears the gradients after backward: each step finds none."""

import torch
from torch import nn

torch.manual_seed(0)
embed, rnn, read = nn.Embedding(12, 16), nn.GRU(16, 24, batch_first=True), nn.Linear(24, 4)
tagger = nn.ModuleDict({"embed": embed, "rnn": rnn, "read": read})
optimizer = torch.optim.AdamW(tagger.parameters(), 3e-3)
schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 0.1, total_iters=50)
for _ in range(150):
    words = torch.randint(0, 12, (16, 10))
    tags = read(rnn(embed(words))[0])
    loss = nn.functional.cross_entropy(tags.flatten(0, 1), words.flatten() % 4)
    loss.backward()
    nn.utils.clip_grad_norm_(tagger.parameters(), 1.0)
    optimizer.zero_grad()
    optimizer.step()
    schedule.step()
