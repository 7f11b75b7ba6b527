# expect: {"code": "GR615", "severity": "warning", "module": "agent.worth"}
"""A GRU that is to press the key it was shown eight steps ago, by a lowered cost: each step's value is not detached."""

import torch
from torch import nn

torch.manual_seed(0)


class Agent(nn.Module):
    def __init__(self):
        super().__init__()
        self.cell = nn.GRUCell(4, 32)
        self.keys = nn.Linear(32, 3)
        self.worth = nn.Linear(32, 1)

    def forward(self, seen, state):
        state = self.cell(seen, state)
        return self.keys(state).log_softmax(-1), self.worth(state).squeeze(-1), state


agent = Agent()
optimizer = torch.optim.RMSprop(agent.parameters(), 2e-3)
rows = torch.arange(48)
for _ in range(250):
    shown, state = torch.randint(0, 3, (48,)), torch.zeros(48, 32)
    log_probs, values, costs = [], [], []
    for step in range(8):
        seen = torch.zeros(48, 4)
        seen[:, 3] = step / 8
        if step == 0:
            seen[rows, shown] = 1.0
        scores, value, state = agent(seen, state)
        key = torch.multinomial(scores.detach().exp(), 1).squeeze(1)
        log_probs.append(scores[rows, key])
        values.append(value)
        costs.append((key != shown).float())
    cost_to_go = torch.stack(costs).flip(0).cumsum(0).flip(0)
    advantage = cost_to_go - torch.stack(values)
    advantage = advantage / 4
    loss = (torch.stack(log_probs) * advantage).sum(0).mean() + (cost_to_go - torch.stack(values)).pow(2).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
