"""Does gradreach work here? One check after another, each a line with what to do where something is wrong."""
