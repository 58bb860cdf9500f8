"""How students get `channel_statistics` wrong."""

from __future__ import annotations

import torch

from course.checks.collect import Mistakes

CHANNEL_STATISTICS = Mistakes()


@CHANNEL_STATISTICS.add(
    "your std divides by n - 1, which is torch's default. Here it divides by n: unbiased=False."
)
def unbiased_std(images):
    return images.mean(0), images.mean((0, 2, 3)), images.std((0, 2, 3))


@CHANNEL_STATISTICS.add("you return the variance of each channel. The standard deviation is its square root.")
def variance_for_std(images):
    return images.mean(0), images.mean((0, 2, 3)), images.var((0, 2, 3), correction=0)


@CHANNEL_STATISTICS.add(
    "you take the std of each image and then average. "
    "The images also differ in their means: take one std over dim=(0, 2, 3)."
)
def mean_of_the_images_stds(images):
    return images.mean(0), images.mean((0, 2, 3)), images.std((2, 3), correction=0).mean(0)


@CHANNEL_STATISTICS.add(
    "you average over the images first and take the std of the mean image. "
    "That hides how the images differ: take the std over dim=(0, 2, 3)."
)
def std_of_the_mean_image(images):
    mean_image = images.mean(0)
    return mean_image, mean_image.mean((1, 2)), mean_image.std((1, 2), correction=0)


@CHANNEL_STATISTICS.add(
    "your std is taken around the mean image. Each channel's std is taken around the one mean of the channel."
)
def std_around_the_mean_image(images):
    mean_image = images.mean(0)
    return mean_image, images.mean((0, 2, 3)), (images - mean_image).square().mean((0, 2, 3)).sqrt()


@CHANNEL_STATISTICS.add(
    "your std is the root of mean(x^2). Subtract the channel's mean before you square.", "3.1"
)
def std_not_centred(images):
    return images.mean(0), images.mean((0, 2, 3)), images.square().mean((0, 2, 3)).sqrt()


@CHANNEL_STATISTICS.add(
    "your variance is mean(x^2) - mean^2. With a large mean two large numbers cancel and the digits are "
    "gone: subtract the mean first.",
    "3.3",
)
def mean_of_squares(images):
    mean = images.mean((0, 2, 3))
    return images.mean(0), mean, (images.square().mean((0, 2, 3)) - mean**2).sqrt()


@CHANNEL_STATISTICS.add(
    "you take the mean of |x - mean|. The standard deviation is the root of the mean of (x - mean)^2."
)
def mean_absolute_deviation(images):
    mean = images.mean((0, 2, 3), keepdim=True)
    return images.mean(0), mean.flatten(), (images - mean).abs().mean((0, 2, 3))


@CHANNEL_STATISTICS.add(
    "you average over the axes (0, 1, 2), as for images (N, H, W, C). "
    "In PyTorch the channels are axis 1: dim=(0, 2, 3)."
)
def channels_taken_last(images):
    return images.mean(0), images.mean((0, 1, 2)), images.std((0, 1, 2), correction=0)


@CHANNEL_STATISTICS.add(
    "one mean and one std for all channels together. Each channel has its own: dim=(0, 2, 3)."
)
def one_number_for_all_channels(images):
    return images.mean(0), images.mean(), images.std(correction=0)


@CHANNEL_STATISTICS.add(
    "each image has a mean and a std of its own. Average over the images too: dim=(0, 2, 3) leaves the "
    "shape (C,)."
)
def each_image_by_itself(images):
    return images.mean(0), images.mean((2, 3)), images.std((2, 3), correction=0)


@CHANNEL_STATISTICS.add(
    "each pixel has a mean and a std of its own. Average over height and width too: dim=(0, 2, 3)."
)
def each_pixel_by_itself(images):
    return images.mean(0), images.mean(0), images.std(0, correction=0)


@CHANNEL_STATISTICS.add(
    "your mean image averages over the channels (axis 1). Average over the images, which are axis 0."
)
def mean_image_over_channels(images):
    return images.mean(1), images.mean((0, 2, 3)), images.std((0, 2, 3), correction=0)


@CHANNEL_STATISTICS.add("your mean image has lost its channels. It has the shape of one image: (C, H, W).")
def mean_image_without_channels(images):
    return images.mean((0, 1)), images.mean((0, 2, 3)), images.std((0, 2, 3), correction=0)


@CHANNEL_STATISTICS.add("you add up the images, but do not divide by their number.")
def sum_of_images(images):
    return images.sum(0), images.mean((0, 2, 3)), images.std((0, 2, 3), correction=0)


@CHANNEL_STATISTICS.add(
    "the averaged axes are still there with size 1. Leave keepdim=True away: one number per channel."
)
def axes_kept(images):
    mean_image = images.mean(0, keepdim=True)
    return mean_image, images.mean((0, 2, 3), keepdim=True), images.std((0, 2, 3), correction=0, keepdim=True)


@CHANNEL_STATISTICS.add("std and mean are in the wrong order. Return mean_image, channel_mean, channel_std.")
def std_before_mean(images):
    return images.mean(0), *torch.std_mean(images, (0, 2, 3), correction=0)


@CHANNEL_STATISTICS.add("you return the mean image last. Return mean_image, channel_mean, channel_std.")
def mean_image_last(images):
    return images.mean((0, 2, 3)), images.std((0, 2, 3), correction=0), images.mean(0)


@CHANNEL_STATISTICS.add(
    "you subtract the mean from the images in place (`images -= mean`). "
    "The caller still needs them: write into a new tensor."
)
def changes_the_images(images):
    mean_image, mean = images.mean(0), images.mean((0, 2, 3))
    images -= mean.view(-1, 1, 1)
    return mean_image, mean, images.square().mean((0, 2, 3)).sqrt()


@CHANNEL_STATISTICS.add(
    "`view` does not work when the memory is not in order (a transposed tensor). Use reshape or dim=."
)
def view_needs_order(images):
    rows = images.view(images.shape[0], images.shape[1], -1)
    return images.mean(0), rows.mean((0, 2)), rows.std((0, 2), correction=0)
