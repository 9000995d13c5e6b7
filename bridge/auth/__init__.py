"""Who is calling: tokens of connections and the caller that a valid one stands for."""
