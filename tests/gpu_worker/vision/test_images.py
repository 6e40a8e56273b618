"""Pictures as phones and shops make them, and everything that only pretends to be one."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageCms

from gpu_worker.contract import Reason
from gpu_worker.engine import Refusal
from gpu_worker.vision import images

GPS = 0x8825


def quarters(width: int = 320, height: int = 240) -> Image.Image:
    """Red, green / blue, white: every rotation and flip looks different."""
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[: height // 2, : width // 2] = (230, 20, 20)
    pixels[: height // 2, width // 2 :] = (20, 200, 20)
    pixels[height // 2 :, : width // 2] = (20, 20, 230)
    pixels[height // 2 :, width // 2 :] = 255
    return Image.fromarray(pixels)


def saved(image: Image.Image, kind: str = "JPEG", **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def corners(pixels: NDArray[Any]) -> list[str]:
    """Names of the colours at top left, top right, bottom left, bottom right."""
    height, width = pixels.shape[:2]
    points = [(0.25, 0.25), (0.25, 0.75), (0.75, 0.25), (0.75, 0.75)]
    names = {"red": (230, 20, 20), "green": (20, 200, 20), "blue": (20, 20, 230)}
    names["white"] = (255, 255, 255)
    seen = [pixels[int(y * height), int(x * width)].astype(int) for y, x in points]
    return [min(names, key=lambda name: abs(c - np.array(names[name])).sum()) for c in seen]


_MEASURE = """
import re, sys
from contextlib import suppress
from gpu_worker.vision import images
from gpu_worker.engine import Refusal
def most():
    return int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1])
data = sys.stdin.buffer.read()
open("/proc/self/clear_refs", "w").write("5")
before = most()
with suppress(Refusal):
    images.decode(data, max_side_px=2048)
print((most() - before) / 1024)
"""


def megabytes_to_decode(data: bytes) -> float:
    """How far a process of its own grows at most while it decodes."""
    argv = [sys.executable, "-c", _MEASURE]
    done = subprocess.run(argv, input=data, capture_output=True, check=True, timeout=60)
    return float(done.stdout)


UPRIGHT = ["red", "green", "blue", "white"]


def phone_photo(orientation: int, width: int = 320, height: int = 240) -> bytes:
    """As a phone stores it: turned in the file, with EXIF that says how, and where it was."""
    turn = {
        1: None,
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }[orientation]
    image = quarters(width, height)
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif[0x010F] = "Phone maker"
    exif.get_ifd(GPS).update({1: "N", 2: (52.0, 31.0, 12.0), 3: "E", 4: (13.0, 24.0, 18.0)})
    return saved(image.transpose(turn) if turn is not None else image, exif=exif, quality=95)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_exif_orientation_comes_out_upright(orientation: int) -> None:
    decoded = images.decode(phone_photo(orientation))
    assert decoded.pixels.shape == (240, 320, 3)
    assert corners(decoded.pixels) == UPRIGHT


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_odd_exif_turns_a_picture_as_any_other(kind: str) -> None:
    """A number where a maker's name should be: Pillow reads such EXIF and cannot write it."""
    exif = Image.Exif()
    exif[0x0112], exif[0x011A] = 6, 72.5  # its resolution, in what follows its maker
    odd = exif.tobytes().replace(b"\x01\x1a\x00\x05", b"\x01\x0f\x00\x05")
    turned = quarters(320, 240).transpose(Image.Transpose.ROTATE_90)
    assert corners(images.decode(saved(turned, kind, exif=odd)).pixels) == UPRIGHT


def test_no_metadata_is_left_and_the_place_is_gone() -> None:
    data = phone_photo(6)
    assert dict(Image.open(io.BytesIO(data)).getexif().get_ifd(GPS))
    clean = images.encode_jpeg(images.decode(data).pixels, 95)
    image = Image.open(io.BytesIO(clean))
    assert not image.getexif()
    assert not {"exif", "xmp", "icc_profile", "comment", "photoshop"} & set(image.info)
    for trace in (b"Exif", b"GPS", b"Phone maker", b"http://ns.adobe.com"):
        assert trace not in clean


def test_twelve_megapixels_are_bounded_and_do_not_balloon() -> None:
    data = phone_photo(6, 3000, 4000)
    decoded = images.decode(data, max_side_px=2048)
    assert decoded.pixels.shape == (2048, 1536, 3)
    assert corners(decoded.pixels) == UPRIGHT
    assert megabytes_to_decode(data) < 110


@pytest.mark.parametrize("size", [(1080, 1920), (1920, 1080), (720, 1280)])
def test_nine_by_sixteen_keeps_its_shape(size: tuple[int, int]) -> None:
    decoded = images.decode(saved(quarters(*size)), max_side_px=1024)
    height, width = decoded.pixels.shape[:2]
    assert max(height, width) == 1024
    assert width / height == pytest.approx(size[0] / size[1], rel=0.01)


def test_small_pictures_are_not_blown_up() -> None:
    assert images.decode(saved(quarters(300, 260)), max_side_px=2048).pixels.shape == (260, 300, 3)


def test_transparency_lies_on_white() -> None:
    rgba = quarters().convert("RGBA")
    rgba.putalpha(Image.linear_gradient("L").resize(rgba.size))
    decoded = images.decode(saved(rgba, "PNG"))
    assert decoded.pixels[0, 5].tolist() == [255, 255, 255]
    assert decoded.alpha is not None
    assert decoded.alpha.shape == (240, 320)
    assert corners(decoded.pixels)[2] == "blue"


def test_an_opaque_alpha_channel_is_none() -> None:
    assert images.decode(saved(quarters().convert("RGBA"), "PNG")).alpha is None


def _palette() -> bytes:
    image = quarters().convert("P", palette=Image.Palette.ADAPTIVE)
    return saved(image, "PNG")


def _palette_with_hole() -> bytes:
    image = quarters().convert("P", palette=Image.Palette.ADAPTIVE, colors=8)
    return saved(image, "PNG", transparency=image.getpixel((300, 230)))


def _grey_sixteen() -> bytes:
    ramp = np.tile(np.linspace(0, 65535, 320).astype(np.uint16), (240, 1))
    return saved(Image.fromarray(ramp), "PNG")


def _with_a_second_picture() -> bytes:
    """MPO, as phones write it: one file, the photo and a smaller one behind it. No animation."""
    return saved(quarters(), "MPO", save_all=True, append_images=[quarters(160, 120)], quality=95)


KINDS: list[tuple[str, Callable[[], bytes], str]] = [
    ("WebP", lambda: saved(quarters(), "WEBP", quality=95), "WEBP"),
    ("lossless WebP with alpha", lambda: saved(quarters().convert("RGBA"), "WEBP"), "WEBP"),
    ("PNG", lambda: saved(quarters(), "PNG"), "PNG"),
    ("palette", _palette, "PNG"),
    ("palette with a transparent colour", _palette_with_hole, "PNG"),
    ("progressive JPEG", lambda: saved(quarters(), progressive=True, quality=95), "JPEG"),
    ("JPEG with a second picture", _with_a_second_picture, "JPEG"),
    ("CMYK JPEG", lambda: saved(quarters().convert("CMYK"), quality=95), "JPEG"),
]


@pytest.mark.parametrize(("make", "kind"), [k[1:] for k in KINDS], ids=[k[0] for k in KINDS])
def test_every_kind_is_read(make: Callable[[], bytes], kind: str) -> None:
    decoded = images.decode(make())
    assert decoded.format == kind
    assert corners(decoded.pixels) == UPRIGHT


def test_sixteen_bits_of_grey_keep_their_tones() -> None:
    row = images.decode(_grey_sixteen()).pixels[100, :, 0].astype(int)
    assert row[0] == 0
    assert row[-1] == 255
    assert abs(row[160] - 128) <= 1


@pytest.mark.parametrize("mode", ["1", "L", "LA"])
def test_grey_is_read(mode: str) -> None:
    pixels = images.decode(saved(quarters().convert("L").convert(mode), "PNG")).pixels
    assert pixels.shape == (240, 320, 3)
    assert (pixels[..., 0] == pixels[..., 2]).all()


def wide_profile() -> bytes:
    """A profile whose red is not sRGB's: XYZ itself, spoken as RGB would change every colour."""
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()


def swapped_profile() -> bytes:
    """An sRGB profile with its red and blue primaries exchanged: easy to see when it is used."""
    data = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    return data.replace(b"rXYZ", b"????").replace(b"bXYZ", b"rXYZ").replace(b"????", b"bXYZ")


def test_a_profile_is_honoured() -> None:
    plain = images.decode(saved(quarters(), quality=95)).pixels
    turned = images.decode(saved(quarters(), quality=95, icc_profile=swapped_profile())).pixels
    assert corners(plain)[0] == "red"
    assert corners(turned)[0] == "blue"


@pytest.mark.parametrize("profile", [b"no profile at all", wide_profile()], ids=["broken", "lab"])
def test_a_profile_that_cannot_be_meant_is_as_if_absent(profile: bytes) -> None:
    assert corners(images.decode(saved(quarters(), icc_profile=profile)).pixels) == UPRIGHT


def ink_profile() -> bytes:
    """A CMYK profile in which cyan ink is red on white paper and every other mix is black."""
    paper, red, black = (255, 128, 128), (138, 209, 198), (0, 128, 128)  # Lab in 8 bits
    cells = [paper if n == 0 else red if n == 8 else black for n in range(16)]
    straight = bytes(range(256))
    unit = b"".join(struct.pack(">i", 65536 * (n in (0, 4, 8))) for n in range(9))
    lut = b"mft1" + bytes(4) + bytes([4, 3, 2, 0]) + unit + straight * 4
    lut += b"".join(map(bytes, cells)) + straight * 3
    size = 128 + 4 + 12 + len(lut)
    head = struct.pack(">I4sI4s4s4s", size, bytes(4), 0x02400000, b"prtr", b"CMYK", b"Lab ")
    head += struct.pack(">6H4s", 2020, 1, 1, 0, 0, 0, b"acsp") + bytes(28)
    head += struct.pack(">3i", 63190, 65536, 54061)
    return head.ljust(128, b"\0") + struct.pack(">I4sII", 1, b"A2B0", 144, len(lut)) + lut


def test_a_cmyk_profile_is_honoured() -> None:
    inks = np.zeros((240, 320, 4), np.uint8)
    inks[:, 160:, 0] = 255
    image = Image.fromarray(inks, "CMYK")
    plain = images.decode(saved(image, quality=95)).pixels
    proofed = images.decode(saved(image, quality=95, icc_profile=ink_profile())).pixels
    assert plain[120, 240].tolist()[2] > 200  # cyan
    assert corners(proofed)[0] == "white"
    assert corners(proofed)[1] == "red"


def test_a_grey_profile_on_grey_is_read() -> None:
    grey = saved(quarters().convert("L"), icc_profile=swapped_profile())
    assert images.decode(grey).pixels.shape == (240, 320, 3)


# --- refusals ------------------------------------------------------------------------------------


def bomb() -> bytes:
    """A PNG of 20,000 x 20,000 px that is a few hundred kilobytes on the wire."""

    def chunk(name: bytes, body: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(name + body))
        return struct.pack(">I", len(body)) + name + body + check

    header = struct.pack(">IIBBBBB", 20_000, 20_000, 1, 0, 0, 0, 0)
    rows = zlib.compress(bytes((1 + 2500) * 20_000), 9)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def animated(kind: str) -> bytes:
    frames = [Image.new("RGB", (300, 300), (n * 60, 0, 0)) for n in range(3)]
    return saved(frames[0], kind, save_all=True, append_images=frames[1:], duration=100)


def half(data: bytes) -> bytes:
    return data[: len(data) // 2]


REFUSED: list[tuple[str, Callable[[], bytes], Reason]] = [
    ("empty", lambda: b"", Reason.EMPTY_FILE),
    ("text", lambda: b"not a picture at all", Reason.NOT_AN_IMAGE),
    ("HTML", lambda: b"<!doctype html><html><body>hi</body></html>", Reason.NOT_AN_IMAGE),
    ("PDF", lambda: b"%PDF-1.7\n1 0 obj", Reason.NOT_AN_IMAGE),
    ("zip", lambda: b"PK\x03\x04" + bytes(200), Reason.NOT_AN_IMAGE),
    ("SVG", lambda: b'<?xml version="1.0"?><svg xmlns="x"/>', Reason.UNSUPPORTED_FORMAT),
    ("GIF", lambda: saved(quarters(), "GIF"), Reason.UNSUPPORTED_FORMAT),
    ("animated GIF", lambda: animated("GIF"), Reason.UNSUPPORTED_FORMAT),
    ("BMP", lambda: saved(quarters(), "BMP"), Reason.UNSUPPORTED_FORMAT),
    ("TIFF", lambda: saved(quarters(), "TIFF"), Reason.UNSUPPORTED_FORMAT),
    ("HEIC", lambda: b"\0\0\0\x18ftypheic" + bytes(100), Reason.UNSUPPORTED_FORMAT),
    ("half a JPEG", lambda: half(saved(quarters(1000, 1000))), Reason.TRUNCATED_IMAGE),
    ("half a PNG", lambda: half(saved(quarters(300, 300), "PNG")), Reason.TRUNCATED_IMAGE),
    ("half a WebP", lambda: half(saved(quarters(300, 300), "WEBP")), Reason.TRUNCATED_IMAGE),
    ("a JPEG's first bytes", lambda: b"\xff\xd8\xff\xe0 then nothing", Reason.TRUNCATED_IMAGE),
    ("animated PNG", lambda: animated("PNG"), Reason.ANIMATED_IMAGE),
    ("animated WebP", lambda: animated("WEBP"), Reason.ANIMATED_IMAGE),
    ("20,000 x 20,000", bomb, Reason.TOO_MANY_PIXELS),
    ("40 px wide", lambda: saved(quarters(40, 900)), Reason.IMAGE_TOO_SMALL),
]


@pytest.mark.parametrize(
    ("make", "reason"), [r[1:] for r in REFUSED], ids=[name for name, *_ in REFUSED]
)
def test_refusals(make: Callable[[], bytes], reason: Reason) -> None:
    with pytest.raises(Refusal) as refused:
        images.decode(make(), min_side_px=256)
    assert refused.value.reason is reason


def test_the_bomb_is_small_and_costs_no_memory() -> None:
    data = bomb()
    assert len(data) < 200_000
    assert megabytes_to_decode(data) < 10


def test_the_limit_holds_between_pillows_warning_and_its_error() -> None:
    """Pillow by itself raises only above twice its limit."""
    images.limit_pixels(60_000)
    try:
        with pytest.raises(Refusal) as refused:
            images.decode(saved(quarters(320, 240)))
    finally:
        images.limit_pixels(images.MAX_PIXELS)
    assert refused.value.reason is Reason.TOO_MANY_PIXELS


# --- out -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("is_preview", "kind"),
    [(True, "compositeSynthetic"), (False, "compositeWithTrainedAlgorithmicMedia")],
)
def test_a_picture_says_what_it_is(is_preview: bool, kind: str) -> None:
    label = images.Label('odd "name" <&>', is_preview)
    data = images.encode_jpeg(np.asarray(quarters()), 92, label)
    xmp = Image.open(io.BytesIO(data)).info["xmp"].decode()
    tree = ElementTree.fromstring(xmp[xmp.index("<x:") : xmp.index("<?xpacket end")])
    said = {name.split("}")[-1]: value for name, value in tree[0][0].attrib.items()}
    assert said["DigitalSourceType"].endswith(f"/digitalsourcetype/{kind}")
    assert said["CreatorTool"] == 'Proteus, engine odd "name" <&>'
    assert said["preview"] == str(is_preview).lower()


def test_paste_back_changes_nothing_outside_the_mask() -> None:
    photo = np.asarray(quarters())
    drawn = np.full_like(photo, 7)
    mask = np.zeros(photo.shape[:2], np.uint8)
    mask[60:180, 80:240] = 255
    out = images.paste_back(photo, drawn, mask, feather_px=10)
    assert (out[mask == 0] == photo[mask == 0]).all()
    assert (out[110:130, 150:170] == 7).all()
    edge = out[120, 80:90].astype(int)
    assert 7 < edge[3, 2] < max(photo[120, 83, 2], 8) or edge[3, 0] != photo[120, 83, 0]


def test_png_keeps_transparency() -> None:
    alpha = np.zeros((240, 320), np.uint8)
    alpha[50:100] = 255
    image = Image.open(io.BytesIO(images.encode_png(np.asarray(quarters()), alpha)))
    assert image.mode == "RGBA"
    assert (np.asarray(image)[..., 3] == alpha).all()
