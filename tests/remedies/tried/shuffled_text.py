# try: {"code": "GR105", "loss": ["rows-in-order", "start-anew"]}
"""Short chunks of a text, shuffled, by an LSTM whose state goes on from batch to batch, Adam"""

import torch
from torch import nn

import gradreach as gr


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed, self.lstm, self.head = nn.Embedding(12, 16), nn.LSTM(16, 48, batch_first=True), nn.Linear(48, 12)

    def forward(self, ids, state):
        out, state = self.lstm(self.embed(ids), state)
        return self.head(out), tuple(s.detach() for s in state)


torch.manual_seed(0)
model = Model()
optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
# Each symbol is three more than the fourth before it, but one in twenty, which is drawn at random.
stream = torch.randint(12, (4,)).tolist()
for _ in range(48000):
    drawn = torch.rand(()) < 0.05
    stream.append(int(torch.randint(12, ())) if drawn else (stream[-4] + 3) % 12)
stream, T, batch_size = torch.tensor(stream), 6, 16
windows = stream.unfold(0, T + 1, T)
chunks = windows[torch.randperm(len(windows))].split(batch_size)[:450]
# with rows-in-order
state = None
with gr.observe(model, every=15) as watch:
    for chunk in chunks[:450]:
        # with start-anew
        logits, state = model(chunk[:, :-1], state)
        loss = nn.functional.cross_entropy(logits.transpose(1, 2), chunk[:, 1:])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
