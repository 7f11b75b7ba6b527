# expect: {"code": "GR103", "module": "model.cell", "also": ["GR101", "GR402", "GR604"]}
"""Which of four symbols came first, by a cell of one's own whose memory only ever gains: tanh of it is flat soon."""

import torch
from torch import nn
from torch.nn import functional as F

torch.manual_seed(4)
T, BATCH, UNITS, STEPS = 30, 64, 32, 300


class Accumulator(nn.Module):
    def __init__(self, inputs, units):
        super().__init__()
        self.of_input = nn.Linear(inputs, 2 * units)
        self.of_state = nn.Linear(units, 2 * units, bias=False)

    def forward(self, x, state):
        h, memory = state
        gain, gate = (self.of_input(x) + self.of_state(h)).chunk(2, dim=-1)
        memory = memory + torch.sigmoid(gain) + 0.5
        return torch.sigmoid(gate) * torch.tanh(memory), memory


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.cell, self.head = Accumulator(4, UNITS), nn.Linear(UNITS, 4)

    def forward(self, symbols):
        state = symbols.new_zeros(len(symbols), UNITS, dtype=torch.float32), torch.zeros(len(symbols), UNITS)
        for x in F.one_hot(symbols, 4).float().unbind(1):
            state = self.cell(x, state)
        return self.head(state[0])


model = Model()
optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
for _ in range(STEPS):
    symbols = torch.randint(4, (BATCH, T))
    loss = F.cross_entropy(model(symbols), symbols[:, 0])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
