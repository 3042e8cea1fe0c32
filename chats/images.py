"""Images of strangers written anew: decoded within bounds, and nothing kept but their pixels."""

import asyncio
import io
from concurrent.futures import ThreadPoolExecutor

from PIL import Image, ImageOps

FORMATS = ("JPEG", "PNG", "WEBP", "GIF")
MOST_PIXELS = 12_000_000
LONGEST_SIDE = 4096
QUALITY = 85
# Decoding costs 100 MB and a good part of a second at worst: one at a time, beside the others.
_decoder = ThreadPoolExecutor(1, thread_name_prefix="image")


class NotAnImage(Exception):
    """It cannot be decoded, or is larger than anybody should decode."""


async def re_encode(content: bytes) -> tuple[str, bytes]:
    """Decode an image and write it anew, outside of the event loop; raises NotAnImage."""
    return await asyncio.get_running_loop().run_in_executor(_decoder, rewritten, content)


def rewritten(content: bytes) -> tuple[str, bytes]:
    """Return type and bytes of the image as it is to be shown; raises NotAnImage.

    The first frame, turned as its EXIF data say, at most 4096 pixels a side; PNG where it has
    transparency, else JPEG. No metadata: neither where it was taken nor what hides in it.
    """
    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as image:
            if image.width * image.height > MOST_PIXELS:
                raise NotAnImage
            image.draft("RGB", (LONGEST_SIDE, LONGEST_SIDE))  # JPEG: decode no more than is shown
            turned = ImageOps.exif_transpose(image)
            turned.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
            transparent = turned.has_transparency_data
            pixels = turned.convert("RGBA" if transparent else "RGB")
    except NotAnImage:
        raise
    except Exception as error:  # decoders of hostile bytes raise whatever they like
        raise NotAnImage from error
    plain = Image.new(pixels.mode, pixels.size)
    plain.paste(pixels)
    output = io.BytesIO()
    if transparent:
        plain.save(output, "PNG")
        return "image/png", output.getvalue()
    plain.save(output, "JPEG", quality=QUALITY)
    return "image/jpeg", output.getvalue()
