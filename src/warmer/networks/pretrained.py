"""Networks other people trained on ImageNet, under the key names of timm and torchvision."""
