# expect: {"code": "GR613", "severity": "error", "blank": 0, "free_class": 5}
"""Words of five letters read by a convolution under CTC, whose outputs end with the blank; the loss takes the first."""

import torch
from torch import nn

torch.manual_seed(0)
LETTERS, FRAMES = 5, 24
net = nn.Sequential(
    nn.Conv1d(LETTERS, 32, 3, padding=1), nn.ReLU(), nn.Conv1d(32, 32, 3, padding=1), nn.ReLU(), nn.Conv1d(32, 6, 1)
)
optimizer = torch.optim.SGD(net.parameters(), 0.05, momentum=0.9)
criterion = nn.CTCLoss(zero_infinity=True)
for _ in range(250):
    lengths = torch.randint(3, 6, (24,))
    targets = torch.randint(0, LETTERS, (24, 5))
    x = 0.1 * torch.randn(24, LETTERS, FRAMES)
    for row, length in enumerate(lengths.tolist()):
        for at in range(length):
            x[row, targets[row, at], 4 * at + 1 : 4 * at + 3] += 2.0
    log_probs = net(x).permute(2, 0, 1).log_softmax(2)
    loss = criterion(log_probs, targets, torch.full((24,), FRAMES), lengths)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
