"""Pixels as Pillow resizes (bilinear) and converts them: resize.json. Run: python resize.py > resize.json"""
import json

import numpy
from PIL import Image


def pattern(height, width, channels):
    y, x, c = numpy.meshgrid(numpy.arange(height), numpy.arange(width), numpy.arange(channels), indexing="ij")
    return ((x * 37 + y * 101 + c * 53 + x * y) % 256).astype(numpy.uint8)


cases = []
for height, width, to_height, to_width in [(9, 7, 4, 3), (5, 6, 13, 17), (31, 40, 8, 8), (8, 8, 8, 3), (1, 1, 3, 2), (64, 3, 5, 3)]:
    for channels in (1, 3):
        pixels = pattern(height, width, channels)
        image = Image.fromarray(pixels if channels == 3 else pixels[:, :, 0])
        out = numpy.asarray(image.resize((to_width, to_height), Image.Resampling.BILINEAR))
        cases.append({"from": [height, width, channels], "to": [to_height, to_width], "pixels": out.flatten().tolist()})
colour = Image.fromarray(pattern(6, 11, 3))
print(json.dumps({"resize": cases, "grey": numpy.asarray(colour.convert("L")).flatten().tolist()}))
