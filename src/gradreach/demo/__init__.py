"""Scripts in plain PyTorch that `gradreach demo` watches; they know nothing of gradreach."""
