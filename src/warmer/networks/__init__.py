"""Plain `torch.nn` networks. They know no kind, no plan and no training."""
