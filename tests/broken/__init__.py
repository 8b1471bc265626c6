"""Wrong variants of what matters, and the proof that the contract suite notices each."""
