"""What per-example curvature costs, in forward-backward passes over the same images.

The networks are that of split MNIST (784-256-256, two classes, 10,240 images in batches of 256) and
a ResNet-18 on images of 32 × 32 pixels (ten classes, batches of 32), its normalisations in
evaluation mode: 64 and 320 images, since each measure begins by comparing two of them with autograd
for each alone. For the ResNet also a step of training with SI to one without.
"""

from functools import partial

import chunks
import torch.nn.functional as F
import work
from torchvision.models import resnet18

from si_tutorial.fisher import fisher_information, output_sensitivity
from si_tutorial.networks import mlp

WAYS = {**{f"Fisher, {labels} labels": partial(fisher_information, labels=labels)
           for labels in ("true", "sampled", "argmax", "expected")}, "MAS": output_sensitivity}
FEW = 5  # turns, where a call takes seconds


def passes(tell, net, batches, ways, turns, chunk, **setting):
    """Some ways to measure on the batches, each to a pass over them."""
    def forward_backward():
        for x, y in batches:
            net.zero_grad()
            F.cross_entropy(net(x), y).backward()

    for name in ways:
        found = chunks.ratio(lambda way=WAYS[name]: way(net, batches), forward_backward,
                             turns=turns, chunk=chunk)
        tell.ratio("passes", name, "forward-backward", found, batch_size=len(batches[0][0]),
                   images=sum(len(y) for _, y in batches), **setting)


def main():
    tell, args = chunks.begin(__doc__)
    passes(tell, mlp(2, head_weights="random"), [work.images(256, classes=2) for _ in range(40)],
           WAYS, args.turns, args.chunk, network="784-256-256", classes=2)
    small = {"shape": (3, 32, 32)}
    for count in (2, 10):
        passes(tell, resnet18(num_classes=10).eval(),
               [work.images(32, **small) for _ in range(count)], ("Fisher, sampled labels", "MAS"),
               min(FEW, args.turns), args.chunk, network="ResNet-18", classes=10)
    step, plain = (work.step(resnet18(num_classes=10).eval(), 32, measure, **small)
                   for measure in ("SI", None))
    tell.ratio("step", "SI", "plain",
               chunks.ratio(step, plain, turns=args.turns, chunk=args.chunk),
               network="ResNet-18", batch_size=32)


if __name__ == "__main__":
    main()
