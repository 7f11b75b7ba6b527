# try: {"code": "GR613", "learns": ["leave-out-blanks"]}
"""Letters by two layers over frames under CTC, whose target_lengths are those of the longest row, Adam"""

import torch
from torch import nn

import gradreach as gr

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(5, 32), nn.ReLU(), nn.Linear(32, 5))
optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
with gr.observe(model, every=15) as watch:
    for _ in range(200):
        lengths, letters, x = torch.randint(2, 5, (24,)), torch.randint(1, 5, (24, 4)), 0.1 * torch.randn(20, 24, 5)
        letters = letters * (torch.arange(4) < lengths[:, None])
        for row, length in enumerate(lengths.tolist()):
            for at in range(length):
                x[5 * at + 1 : 5 * at + 3, row, letters[row, at]] += 2.0
        targets, target_lengths = letters, torch.full((24,), 4)
        # with leave-out-blanks
        log_probs = model(x).log_softmax(-1)
        loss = nn.functional.ctc_loss(log_probs, targets, torch.full((24,), 20), target_lengths, zero_infinity=True)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
