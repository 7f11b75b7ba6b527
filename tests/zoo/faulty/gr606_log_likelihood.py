# expect: {"code": "GR606", "severity": "error", "why": "unknown"}
"""A tagger whose score of the right path, a log likelihood, is minimised as it is."""

import torch
from torch import Tensor, nn

torch.manual_seed(0)
TAGS = 5


class Tagger(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.words, self.lstm = nn.Embedding(20, 16), nn.LSTM(16, 16, batch_first=True, bidirectional=True)
        self.scores = nn.Linear(32, TAGS)
        self.steps = nn.Parameter(torch.zeros(TAGS, TAGS))

    def forward(self, words: Tensor, tags: Tensor) -> Tensor:
        """The log likelihood of the tags, summed over the batch."""
        scores = self.scores(self.lstm(self.words(words))[0])
        right = scores.gather(2, tags[..., None])[..., 0].sum(1) + self.steps[tags[:, :-1], tags[:, 1:]].sum(1)
        every = scores[:, 0]
        for t in range(1, words.shape[1]):
            every = torch.logsumexp(every[:, :, None] + self.steps, 1) + scores[:, t]
        return (right - torch.logsumexp(every, 1)).sum()


model = Tagger()
optimizer = torch.optim.Adam(model.parameters(), 5e-3)
for _ in range(300):
    words = torch.randint(0, 20, (16, 8))
    loss = model(words, words % TAGS)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
