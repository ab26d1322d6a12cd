"""Train with a searched loss in a plain loop: python docs/use_loss.py runs/digits/loss.json"""

import sys

import torch
from sklearn.datasets import load_digits

import autobalance

x, y = (torch.as_tensor(part) for part in load_digits(return_X_y=True))
model = torch.nn.Sequential(torch.nn.Linear(64, 64), torch.nn.ReLU(), torch.nn.Linear(64, 10))
loss = autobalance.load_loss(sys.argv[1])
if loss.start_bias is not None:
    model[-1].bias.data += loss.start_bias
optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
for epoch in range(20):
    loss.start_epoch(epoch / 20)
    values = []
    for index in torch.randperm(len(y)).split(64):
        optimizer.zero_grad()
        value = loss(model(x[index].float() / 16), y[index])
        value.backward()
        optimizer.step()
        values.append(value.item())
    print(f"epoch {epoch + 1}: mean loss {sum(values) / len(values):.3f}")
