"""The losses of ConSinGAN: Wasserstein critic with gradient penalty."""

from __future__ import annotations

import torch
from torch import nn

from monai_consingan.networks.discriminator import ConSinGANDiscriminator


class WassersteinLoss(nn.Module):
    """Mean critic score, with the sign that a network minimizes (Arjovsky et al., 2017, https://arxiv.org/abs/1701.07875).

    Example::

        >>> loss = WassersteinLoss()
        >>> scores = torch.tensor([1.0, 3.0])
        >>> loss(scores, target_is_real=True), loss(scores, target_is_real=False)
        (tensor(-2.), tensor(2.))
    """

    def forward(self, scores: torch.Tensor, target_is_real: bool) -> torch.Tensor:
        """Loss of a score map.

        Args:
            scores: scores of any shape.
            target_is_real: whether the scores should rise. So it is for real images in the discriminator's step and
                for generated ones in the generator's step.

        Returns:
            Minus the mean score if ``target_is_real``, else the mean score, a scalar.
        """
        return -scores.mean() if target_is_real else scores.mean()


def gradient_penalty(
    discriminator: nn.Module,
    real: torch.Tensor,
    fake: torch.Tensor,
    *,
    alpha: torch.Tensor | None = None,
    weight: float = 0.1,
    closed_form: bool = True,
) -> torch.Tensor:
    r"""Penalty that keeps the critic's gradient at norm 1 (Gulrajani et al., 2017, https://arxiv.org/abs/1704.00028).

    At :math:`x = \alpha\,real + (1 - \alpha)\,fake` it is
    :math:`weight \cdot mean((\lVert \nabla_x \sum D(x) \rVert_2 - 1)^2)`, where the norm is taken over the **channels**
    of each pixel, as ConSinGAN does.

    Args:
        discriminator: the critic.
        real: real images, (N, C, H, W) or (N, C, H, W, D).
        fake: generated images of the same shape; no gradient flows into them.
        alpha: weight of the real images: a number, or one for each image, (N,) or (N, 1), or for each pixel; by default
            one uniform number in [0, 1).
        weight: factor of the penalty.
        closed_form: for a :py:class:`~monai_consingan.networks.ConSinGANDiscriminator`, take the gradient in closed
            form, which is the same and cheaper than differentiating twice.

    Returns:
        A scalar that can be differentiated by the weights of the discriminator.
    """
    if alpha is None:
        alpha = torch.rand(1, device=real.device, dtype=real.dtype)
    alpha = alpha.to(real).reshape(alpha.shape + (1,) * (real.ndim - alpha.ndim))
    mixed = (alpha * real + (1 - alpha) * fake).detach()
    if closed_form and isinstance(discriminator, ConSinGANDiscriminator):
        gradient = discriminator.input_gradient(mixed)
    else:
        mixed.requires_grad_(True)
        gradient = torch.autograd.grad(discriminator(mixed).sum(), mixed, create_graph=True)[0]
    return weight * ((gradient.norm(2, dim=1) - 1) ** 2).mean()
