# expect: {"code": "GR709", "severity": "error", "module": "model.encoder.layers.0.self_attn"}
"""Which of three marks a sentence holds, by an encoder whose padding mask is True at the words."""

import torch
from torch import Tensor, nn

torch.manual_seed(0)


class Model(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(12, 16)
        layer = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True)
        self.encoder, self.head = nn.TransformerEncoder(layer, 2), nn.Linear(16, 3)

    def forward(self, words: Tensor, mask: Tensor) -> Tensor:
        return self.head(self.encoder(self.embed(words), src_key_padding_mask=mask)[:, 0])


model = Model()
optimizer = torch.optim.AdamW(model.parameters(), 1e-3)
for _ in range(250):
    is_word = torch.arange(14) < torch.randint(5, 14, (32, 1))
    words = torch.randint(4, 12, (32, 14))
    mark = torch.randint(0, 3, (32,))
    words[torch.arange(32), torch.randint(1, 5, (32,))] = mark + 1
    loss = nn.functional.cross_entropy(model(words * is_word, is_word), mark)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
