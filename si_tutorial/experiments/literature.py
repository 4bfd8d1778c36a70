"""Published numbers to compare with: mean test accuracy in percent, and where they come from."""

import pandas as pd

# Split MNIST after five tasks. Task-, domain- and class-incremental.
SPLIT_MNIST = pd.DataFrame(
    [("van de Ven & Tolias 2018", "fine-tuning", 85.2, 57.3, 19.9),
     ("van de Ven & Tolias 2018", "SI", 99.1, 63.8, 20.0),
     ("van de Ven & Tolias 2018", "joint", 99.6, 98.4, 97.9),
     ("Hsu et al. 2018", "fine-tuning", 93.5, 55.2, 19.7),
     ("Hsu et al. 2018", "L2", 98.2, 66.0, 22.5),
     ("Hsu et al. 2018", "EWC", 97.7, 58.9, 19.8),
     ("Hsu et al. 2018", "online EWC", 98.0, 57.3, 19.8),
     ("Hsu et al. 2018", "SI", 98.6, 64.8, 19.7),
     ("Hsu et al. 2018", "MAS", 99.2, 68.6, 19.5)],
    columns=["source", "method", "task", "domain", "class"])

# Permuted MNIST with c = 0.1, mean over the tasks seen after each of ten (the authors' stored
# results), and after ten tasks for weaker penalties.
PERMUTED_MNIST_SI = (98.3, 98.3, 98.3, 98.0, 97.9, 97.8, 97.6, 97.5, 97.1, 96.9)
PERMUTED_MNIST_AFTER_TEN = {0.1: 96.9, 0.02: 93.9, 0.01: 92.0, 0.0: 57.4}
PERMUTED_MNIST_PLAIN = (98.1, 94.9, 84.6, 80.7, 77.4, 72.9, 66.7, 66.8, 58.5, 57.4)

# CIFAR-10, then five times ten classes of CIFAR-100 (the authors' stored results): each task after
# the last one; then the mean over tasks 2 to 6 when each was just learned.
CIFAR = {"fine-tuning": (45.9, 54.9, 57.0, 68.7, 67.5, 81.0),
         "SI": (74.6, 71.8, 71.4, 74.4, 70.4, 78.6),
         "SI, c = 0.1": (78.3, 74.3, 68.2, 71.9, 67.0, 72.5),
         "from scratch": (80.4, 69.0, 64.7, 73.3, 67.9, 71.3)}
CIFAR_JUST_LEARNED = {"fine-tuning": 79.8, "SI": 76.9, "from scratch": 69.2}

# Split CIFAR-100 in ten tasks, convolutions pre-trained on CIFAR-10, class-incremental: van de Ven,
# Tuytelaars & Tolias 2022, table 3, means of ten seeds.
SPLIT_CIFAR_100_CLASS = {"fine-tuning": 7.71, "SI": 8.10, "EWC": 8.24, "joint": 49.78}


def split_mnist_beside(ours: pd.DataFrame) -> pd.DataFrame:
    """One row per method of `ours` and source, ours first; `ours` has SPLIT_MNIST's columns."""
    order = list(dict.fromkeys(ours["method"]))
    both = pd.concat([ours, SPLIT_MNIST[SPLIT_MNIST["method"].isin(order)]])
    return both.sort_values("method", key=lambda names: names.map(order.index), kind="stable"
                            ).set_index(["method", "source"])
