"""What the ablation of regression methods is made of: the plan, the parts of a method, and its training."""
