"""`python -m gradreach.doctor.process_group`: a gloo group of one, which hangs on a badly set up network."""

from __future__ import annotations

import json


def main() -> None:
    """Print as JSON the sum that an all-reduce over one process gives."""
    import torch
    import torch.distributed as dist

    dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)  # type: ignore[attr-defined]
    ones = torch.ones(3)
    dist.all_reduce(ones)
    dist.destroy_process_group()
    print(json.dumps({"sum": float(ones.sum())}))


if __name__ == "__main__":
    main()
