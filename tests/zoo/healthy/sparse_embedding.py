"""Word vectors by skip-gram with negative samples: sparse embedding gradients, batches of eight, plain SGD."""

import re
import sys
from collections import Counter
from pydoc_data.topics import topics

import torch
from torch import nn

torch.manual_seed(19)
words = re.findall(r"[a-z]+", "".join(topics.values()).lower())[:60_000]
index = {word: i for i, (word, _) in enumerate(Counter(words).most_common(1000))}
code = torch.tensor([index[w] for w in words if w in index])
BATCH, STEPS, NEGATIVE = 64, 900, 5


class SkipGram(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = nn.Embedding(1000, 48, sparse=True)
        self.outer = nn.Embedding(1000, 48, sparse=True)
        nn.init.uniform_(self.inner.weight, -0.5 / 48, 0.5 / 48)
        nn.init.zeros_(self.outer.weight)

    def forward(self, centre, context):
        return (self.outer(context) * self.inner(centre).unsqueeze(1)).sum(-1)


model = SkipGram()
optimizer = torch.optim.SparseAdam(model.parameters(), lr=0.01)
label = torch.zeros(BATCH, 1 + NEGATIVE)
label[:, 0] = 1
mean = 0.0
for step in range(STEPS):
    at = torch.randint(5, len(code) - 5, (BATCH,))
    near = at + torch.randint(1, 5, (BATCH,)) * torch.tensor([-1, 1])[torch.randint(2, (BATCH,))]
    noise = code[torch.randint(len(code), (BATCH, NEGATIVE))]
    score = model(code[at], torch.cat([code[near].unsqueeze(1), noise], 1))
    loss = nn.functional.binary_cross_entropy_with_logits(score, label)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    mean = 0.98 * mean + 0.02 * loss.item() if step else loss.item()
    if step % 100 == 0 or step == STEPS - 1:
        print(f"step {step} loss {mean:.4f}")
if len(sys.argv) > 1:
    torch.save(model.state_dict(), sys.argv[1])
