"""Decodes and encodes pictures. In: by content, under guards, to upright sRGB. Out: no metadata.

Knows Pillow and arrays. No store, no jobs. A file that cannot be read safely raises a Refusal.
"""

from __future__ import annotations

import io
import struct
import threading
import warnings
import zlib
from dataclasses import dataclass
from xml.sax.saxutils import escape

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageCms, ImageFile, ImageOps

from gpu_worker.contract import Reason
from gpu_worker.engine import Pixels, Refusal
from gpu_worker.vision import guards

MAX_PIXELS = 50_000_000
CONTENT_TYPES = {"JPEG": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp"}

# By default Pillow only warns up to twice its limit. A truncated file must never be completed.
Image.MAX_IMAGE_PIXELS = MAX_PIXELS
warnings.simplefilter("error", Image.DecompressionBombWarning)
ImageFile.LOAD_TRUNCATED_IMAGES = False

_BROKEN = (OSError, SyntaxError, ValueError, struct.error, zlib.error, IndexError, KeyError)
_OTHER_PICTURES = (b"GIF8", b"BM", b"II*\0", b"MM\0*", b"8BPS", b"\0\0\1\0", b"\xff\x0a", b"qoif")
_DECODING = threading.BoundedSemaphore(2)  # decoding a large picture takes hundreds of MB
_SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))


@dataclass(frozen=True, slots=True)
class Decoded:
    """A decoded picture. pixels: uint8 (h, w, 3) sRGB, upright, transparency composited on white.
    alpha: uint8 (h, w), None if nothing is transparent. format: JPEG | PNG | WEBP, by content."""

    pixels: Pixels
    alpha: NDArray[np.uint8] | None
    format: str


def srgb_profile() -> bytes:
    """An ICC profile of sRGB."""
    return _SRGB.tobytes()


def limit_pixels(most: int) -> None:
    """Sets how many pixels a picture may have, for the whole process."""
    Image.MAX_IMAGE_PIXELS = most


def sniff(data: bytes) -> str:
    """JPEG, PNG or WEBP by the first bytes.

    Raises:
        Refusal: empty_file, unsupported_format (a picture in another format), not_an_image.
    """
    if not data:
        raise Refusal(Reason.EMPTY_FILE)
    if data.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return "WEBP"
    if _is_other_picture(data):
        raise Refusal(Reason.UNSUPPORTED_FORMAT)
    raise Refusal(Reason.NOT_AN_IMAGE)


def _is_other_picture(data: bytes) -> bool:
    if data.startswith(_OTHER_PICTURES):
        return True
    if data[4:8] in (b"ftyp", b"JXL "):  # HEIC, AVIF, JPEG XL
        return data[4:8] == b"JXL " or data[8:12] in (b"heic", b"heix", b"mif1", b"msf1", b"avif")
    return b"<svg" in data[:4096].lower()


def decode(data: bytes, min_side_px: int = 1, max_side_px: int | None = None) -> Decoded:
    """Decodes a file by its content; shrinks it to a longer side of at most `max_side_px`.

    Raises:
        Refusal: for everything that is not an intact still picture; the reason says why.
    """
    with _DECODING:
        return _decode(data, min_side_px, max_side_px)


def _decode(data: bytes, min_side_px: int, max_side_px: int | None) -> Decoded:
    kind = sniff(data)
    guards.check(data, kind)
    image = _opened(data, kind)
    if min(image.size) < min_side_px:
        raise Refusal(Reason.IMAGE_TOO_SMALL, f"{image.width} x {image.height}")
    profile = image.info.get("icc_profile")
    _load(image, max_side_px)
    image = _upright(_bounded(_plain_mode(image), max_side_px), _orientation(image))
    alpha = image.getchannel("A") if image.mode in ("LA", "RGBA") else None
    colour = _to_srgb(image, profile)
    if alpha is not None:
        ground = Image.new("RGB", colour.size, "white")
        ground.paste(colour, mask=alpha)
        colour = ground
    return Decoded(np.asarray(colour), _real_alpha(alpha), kind)


def _opened(data: bytes, kind: str) -> Image.Image:
    """Reads the header only: refuses by format, size and number of frames before any decoding."""
    try:
        image = Image.open(io.BytesIO(data), formats=[kind])
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        raise Refusal(Reason.TOO_MANY_PIXELS) from None
    except _BROKEN as error:  # its first bytes are right, the rest is not
        raise Refusal(Reason.TRUNCATED_IMAGE, str(error)) from error
    if image.width * image.height > (Image.MAX_IMAGE_PIXELS or MAX_PIXELS):
        raise Refusal(Reason.TOO_MANY_PIXELS)
    # A phone's JPEG may contain a second picture (MPO: depth, portrait); that is no animation.
    if kind != "JPEG" and getattr(image, "n_frames", 1) > 1:
        raise Refusal(Reason.ANIMATED_IMAGE)
    return image


def _load(image: Image.Image, max_side_px: int | None) -> None:
    """Decodes the pixels, of a JPEG at reduced size where that is enough."""
    if max_side_px is not None:  # a JPEG can be decoded at 1/2, 1/4, 1/8: saves memory
        side = max_side_px * 5 // 4
        image.draft(None, (side, side))
    try:
        image.load()
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        raise Refusal(Reason.TOO_MANY_PIXELS) from None
    except _BROKEN as error:
        raise Refusal(Reason.TRUNCATED_IMAGE, str(error)) from error
    if image.mode in ("P", "PA") and image.palette is None:
        raise Refusal(Reason.TRUNCATED_IMAGE, "no palette")


def _orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(ExifTags.Base.Orientation, 1))
    except (*_BROKEN, TypeError):  # broken EXIF is common; then the picture is not rotated
        return 1


def _upright(image: Image.Image, orientation: int) -> Image.Image:
    """Applies the orientation. All other EXIF is dropped first: Pillow would serialise it again,
    and raises on malformed values."""
    image.info = {}
    image.getexif()[ExifTags.Base.Orientation] = orientation
    ImageOps.exif_transpose(image, in_place=True)
    return image


def _plain_mode(image: Image.Image) -> Image.Image:
    """The picture in one of the modes L, LA, RGB, RGBA, CMYK, 8 bits per channel."""
    if image.mode.startswith("I"):
        deep = np.asarray(image).astype(np.uint32)
        return Image.fromarray((np.minimum(deep, 65535) // 257).astype(np.uint8))
    if image.mode == "1":
        return image.convert("L")
    if image.has_transparency_data and image.mode not in ("LA", "RGBA"):
        return image.convert("RGBA")
    if image.mode not in ("L", "LA", "RGB", "RGBA", "CMYK"):
        return image.convert("RGB")
    return image


def _bounded(image: Image.Image, max_side_px: int | None) -> Image.Image:
    longer = max(image.size)
    if max_side_px is None or longer <= max_side_px:
        return image
    size = [max(1, round(side * max_side_px / longer)) for side in image.size]
    return image.resize((size[0], size[1]), Image.Resampling.LANCZOS, reducing_gap=3.0)


def _to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """RGB in sRGB. A profile that is broken or belongs to another colour space is ignored."""
    opaque = {"LA": "L", "RGBA": "RGB"}.get(image.mode, image.mode)
    colour = image if image.mode == opaque else image.convert(opaque)
    space = {"L": "GRAY", "RGB": "RGB", "CMYK": "CMYK"}[opaque]
    if profile:
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            if source.profile.xcolor_space.strip() == space:
                return _transformed(colour, source)
        except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
            pass
    return colour.convert("RGB")


def _transformed(colour: Image.Image, source: ImageCms.ImageCmsProfile) -> Image.Image:
    moved = ImageCms.profileToProfile(
        colour,
        source,
        _SRGB,
        renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
        outputMode="RGB",
        flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
    )
    if moved is None:
        raise ValueError("the profile gave no picture")
    return moved


def _real_alpha(alpha: Image.Image | None) -> NDArray[np.uint8] | None:
    """The alpha channel; None if every px is opaque."""
    if alpha is None:
        return None
    values = np.asarray(alpha)
    return values if values.min() < 255 else None


# --- out -----------------------------------------------------------------------------------------

_SOURCE_TYPES = "http://cv.iptc.org/newscodes/digitalsourcetype/"


@dataclass(frozen=True, slots=True)
class Label:
    """The metadata of a drawn picture: that it is AI-generated, by which engine."""

    engine: str
    is_preview: bool

    def to_xmp(self) -> bytes:
        """XMP with IPTC's digital source type: a preview is a composite with synthetic parts, a
        model's picture a photo with parts that a trained model drew."""
        kind = "compositeSynthetic" if self.is_preview else "compositeWithTrainedAlgorithmicMedia"
        said = "AI-generated try-on" + (", a preview" if self.is_preview else "")
        return _XMP.format(
            kind=_SOURCE_TYPES + kind,
            engine=escape(self.engine, {'"': "&quot;"}),
            preview=str(self.is_preview).lower(),
            said=said,
        ).encode()


_XMP = """<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about=""
 xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmlns:dc="http://purl.org/dc/elements/1.1/"
 xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" xmlns:proteus="urn:proteus:1"
 xmp:CreatorTool="Proteus, engine {engine}" Iptc4xmpExt:DigitalSourceType="{kind}"
 proteus:preview="{preview}">
<dc:description><rdf:Alt><rdf:li xml:lang="x-default">{said}</rdf:li></rdf:Alt></dc:description>
</rdf:Description></rdf:RDF></x:xmpmeta>
<?xpacket end="r"?>"""


def encode_jpeg(pixels: Pixels, quality: int, label: Label | None = None) -> bytes:
    """sRGB JPEG without chroma subsampling; the label is its only metadata."""
    out = io.BytesIO()
    image = Image.fromarray(pixels)
    xmp = {} if label is None else {"xmp": label.to_xmp()}
    image.save(out, "JPEG", quality=quality, subsampling=0, optimize=True, **xmp)
    return out.getvalue()


def encode_png(pixels: Pixels, alpha: NDArray[np.uint8] | None = None) -> bytes:
    """PNG without metadata; with an alpha channel if `alpha` is given."""
    full = pixels if alpha is None else np.dstack([pixels, alpha])
    out = io.BytesIO()
    Image.fromarray(full).save(out, "PNG", optimize=False, compress_level=6)
    return out.getvalue()


def bounded(pixels: Pixels, max_side_px: int) -> Pixels:
    """Shrinks a picture to a longer side of at most `max_side_px`, antialiased; 3 or 4 channels."""
    image = Image.fromarray(pixels)
    return np.asarray(_bounded(image, max_side_px))


def paste_back(
    photo: Pixels, drawn: Pixels, mask: NDArray[np.uint8], feather_px: float = 8
) -> Pixels:
    """Alpha blending: `drawn` over `photo` where `mask` is 255, feathered inwards by `feather_px`.

    All of one size. Outside the mask the photo's pixels stay bit for bit.
    """
    inside = cv2.distanceTransform((mask > 127).astype(np.uint8), cv2.DIST_L2, 5)
    weight = np.clip(inside / max(feather_px, 1e-6), 0, 1)[:, :, None]
    mixed = photo * (1 - weight) + drawn * weight
    return np.where(weight > 0, np.rint(mixed), photo).astype(np.uint8)
