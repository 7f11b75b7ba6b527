"""Every claim of the theory, run and measured: `gradreach experiments` lists and runs them."""
