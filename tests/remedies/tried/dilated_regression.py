# try: {"code": "GR402", "loss": ["receptive-field"]}
"""The pulse of eight steps ago in noise, by causal convolutions that see six steps back, RMSprop"""

import torch
from torch import nn

import gradreach as gr

torch.manual_seed(5)
T, BACK = 32, 8


class Causal(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Conv1d(1, 16, 1)
        self.convs, self.pads = nn.ModuleList(), []
        for layer in range(3):
            dilation = 1
            # with receptive-field
            self.convs.append(nn.Conv1d(16, 16, 3, dilation=dilation))
            self.pads.append(2 * dilation)
        self.head = nn.Linear(16, 1)

    def forward(self, x):
        h = self.first(x.transpose(1, 2))
        for conv, pad in zip(self.convs, self.pads, strict=True):
            h = torch.tanh(conv(nn.functional.pad(h, (pad, 0))))
        return self.head(h.transpose(1, 2))


model = Causal()
optimizer = torch.optim.RMSprop(model.parameters(), lr=3e-3)
with gr.observe(model, every=24) as watch:
    for _ in range(250):
        x = torch.randn(32, T, 1)
        loss = nn.functional.mse_loss(model(x)[:, BACK:], x[:, :-BACK])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
