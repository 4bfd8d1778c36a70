"""Means over examples of the size of each example's own gradient, without a loop where one can.

For `nn.Linear` and `nn.Conv2d` an example's gradient is a contraction of the layer's input and of
the gradient of its output, which hooks record (`recording`, `contracting`). All other parameters go
through `torch.func`, which is slower, and what that cannot run goes through autograd, one example
after another (`mapping`). Nothing is trusted: `recording` follows each batch's graph and contracts
only for weights that are used nowhere but inside their layer, and `checking` compares with what
autograd finds for an example alone.
"""

from si_tutorial.per_example.mean import mean_over_examples

__all__ = ["mean_over_examples"]
