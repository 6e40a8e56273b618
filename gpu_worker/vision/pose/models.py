"""Loads the two MediaPipe models (see models/NOTICE) and runs them, one call at a time.

Knows tensors; no people. Each runs with one thread: that fixes the order of the arithmetic, so that
the same photo gives the same bytes.
"""

from __future__ import annotations

import threading
from functools import cache
from pathlib import Path

from ai_edge_litert.interpreter import Interpreter

from gpu_worker.vision.planes import Floats, floats

_FOLDER = Path(__file__).parent / "models"
_LOCK = threading.Lock()


@cache
def _load(name: str) -> Interpreter:
    interpreter = Interpreter(model_path=str(_FOLDER / name), num_threads=1)
    interpreter.allocate_tensors()
    return interpreter


def _run(name: str, picture: Floats) -> list[Floats]:
    with _LOCK:
        interpreter = _load(name)
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], picture[None])
        interpreter.invoke()
        outputs = interpreter.get_output_details()
        return [floats(interpreter.get_tensor(output["index"])) for output in outputs]


def detect(picture: Floats) -> tuple[Floats, Floats]:
    """float32 (224, 224, 3) in -1..1 to boxes (2254, 12) and raw scores (2254,)."""
    boxes, scores = _run("pose_detection.tflite", picture)
    return boxes[0], scores[0, :, 0]


def read_landmarks(picture: Floats) -> tuple[Floats, Floats]:
    """float32 (256, 256, 3) in 0..1 to landmarks (39, 5) and the body mask's logits (256, 256)."""
    landmarks, _, mask, *_ = _run("pose_landmark_lite.tflite", picture)
    return landmarks.reshape(39, 5), mask[0, :, :, 0]


def warm_up() -> None:
    """Loads both models."""
    with _LOCK:
        _load("pose_detection.tflite")
        _load("pose_landmark_lite.tflite")
