# try: {"code": "GR613", "learns": ["blank-index"]}
"""Short words by a convolution under CTC, silence as the last output and blank 0, SGD with momentum"""

import torch
from torch import nn

import gradreach as gr


def utterances():
    lengths = torch.randint(3, 6, (24,))
    targets, x = torch.randint(0, 5, (24, 5)), 0.1 * torch.randn(24, 5, 24)
    for row, length in enumerate(lengths.tolist()):
        for at in range(length):
            x[row, targets[row, at], 4 * at + 1 : 4 * at + 3] += 2.0
    return x, targets, lengths


torch.manual_seed(0)
model = nn.Sequential(nn.Conv1d(5, 32, 5, padding=2), nn.ReLU(), nn.Conv1d(32, 6, 1))
optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
criterion = nn.CTCLoss()
# with blank-index
with gr.observe(model, every=15) as watch:
    for _ in range(200):
        x, targets, lengths = utterances()
        log_probs = model(x).permute(2, 0, 1).log_softmax(2)
        loss = criterion(log_probs, targets, torch.full((24,), 24), lengths)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
