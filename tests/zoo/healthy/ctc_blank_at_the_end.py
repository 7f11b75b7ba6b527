"""CTC whose blank is the last class, over targets that are filled up with it and rows of frames of several lengths."""

import torch
from torch import nn

torch.manual_seed(0)
BLANK, FRAMES = 4, 20
rnn, head = nn.GRU(4, 24, bidirectional=True), nn.Linear(48, 5)
optimizer = torch.optim.RMSprop([*rnn.parameters(), *head.parameters()], 2e-3)
for _ in range(200):
    lengths = torch.randint(2, 5, (24,))
    targets = torch.where(torch.arange(4) < lengths[:, None], torch.randint(0, BLANK, (24, 4)), BLANK)
    x = 0.1 * torch.randn(FRAMES, 24, 4)
    for row, length in enumerate(lengths.tolist()):
        for at in range(length):
            x[5 * at + 1 : 5 * at + 3, row, targets[row, at]] += 2.0
    log_probs = (head(rnn(x)[0]).softmax(-1) + 1e-6).log()
    loss = nn.functional.ctc_loss(log_probs, targets, 5 * lengths, lengths, blank=BLANK)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
