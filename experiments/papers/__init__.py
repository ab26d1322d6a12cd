"""The papers' benchmark: CIFAR-10-LT and CIFAR-100-LT, ResNet-32, 200 epochs, many trainings side by side on a GPU."""
