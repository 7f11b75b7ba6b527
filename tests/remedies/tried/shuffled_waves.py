# try: {"code": "GR105", "loss": ["rows-in-order", "start-anew"]}
"""Short chunks of a wave whose pace changes, shuffled, by a GRU whose state goes on from batch to batch, Adam"""

import torch
from torch import nn

import gradreach as gr


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.gru, self.head = nn.GRU(1, 32, batch_first=True), nn.Linear(32, 1)

    def forward(self, x, state):
        out, state = self.gru(x[..., None], state)
        return self.head(out)[..., 0], state.detach()


torch.manual_seed(0)
model = Model()
optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
pace = (0.2 + 0.6 * torch.rand(600)).repeat_interleave(50)
stream, T, batch_size = torch.sin(pace.cumsum(0)), 5, 16
windows = stream.unfold(0, T + 1, T)
chunks = windows[torch.randperm(len(windows))].split(batch_size)
# with rows-in-order
state = None
with gr.observe(model, every=15) as watch:
    for chunk in chunks[:360]:
        # with start-anew
        prediction, state = model(chunk[:, :-1], state)
        loss = nn.functional.mse_loss(prediction, chunk[:, 1:])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
