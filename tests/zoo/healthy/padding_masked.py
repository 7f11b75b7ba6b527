"""A sentence's mark found by an encoder and a pool whose masks both shut the padding out, each in its own spelling."""

import torch
from torch import Tensor, nn

torch.manual_seed(0)


class Model(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed, self.query = nn.Embedding(12, 16), nn.Parameter(torch.randn(1, 16))
        self.encoder = nn.TransformerEncoderLayer(16, 2, 32, dropout=0.0, batch_first=True)
        self.head = nn.Linear(16, 3)

    def forward(self, words: Tensor, is_word: Tensor) -> Tensor:
        h = self.encoder(self.embed(words), src_key_padding_mask=~is_word)
        query = self.query.expand(len(h), 1, 16)
        return self.head(nn.functional.scaled_dot_product_attention(query, h, h, attn_mask=is_word[:, None])[:, 0])


model = Model()
optimizer = torch.optim.AdamW(model.parameters(), 3e-3)
for _ in range(200):
    is_word = torch.arange(14) < torch.randint(5, 15, (32, 1))
    words = torch.randint(4, 12, (32, 14))
    mark = torch.randint(0, 3, (32,))
    words[torch.arange(32), torch.randint(1, 5, (32,))] = mark + 1
    loss = nn.functional.cross_entropy(model(words * is_word, is_word), mark)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
