"""How high the values between the layers of networks go, which is what int8 levels are spread over.

Source: `python -m benchmarks.activations` on 194 people of `lfw_dev` (Labeled Faces in the Wild,
deep-funneled, research use), one picture each and its mirror image, 2026-11-26. The numbers tell nothing of
anybody: each is one highest value over all of them.
"""

ENCODER: tuple[float, ...] = (
    *(11.13, 11.33, 11.58, 7.95, 14.61, 9.05, 21.92, 9.24, 13.60, 7.45),
    *(14.73, 6.07, 18.66, 7.00, 18.58, 6.78, 9.93, 4.77, 12.18, 5.51),
    *(12.33, 7.02, 18.96, 4.90, 15.32, 3.41, 13.87, 8.39, 5.31),
)
"""For each ReLU of dlib's face-recognition ResNet, in order."""

DETECTOR: tuple[float, ...] = (6.49, 8.74, 5.60, 4.76, 7.59, 15.89)
"""For each ReLU of dlib's convolutional face detector.

On 160 other pictures of `lfw_dev` int8 moved scores by .005 in the median and .014 at most, and found the
same faces. A fifth of the boxes moves to a neighbouring window of nearly the same score. Encodings of 275
pairs of pictures of one person stay as near: .0000 farther, 95 % -.0004 to +.0004 (2026-11-26)."""
