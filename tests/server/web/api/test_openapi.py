"""/openapi.json is OpenAPI 3.1 and true: every route, every caller, examples that validate."""

from __future__ import annotations

import re
from typing import Any

import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]
from openapi_spec_validator import OpenAPIV31SpecValidator
from pydantic import BaseModel

from server.web.api import schemas
from tests.server.actors import World


@pytest.fixture
def spec(world: World) -> Any:
    return world.anybody().get("/openapi.json").json


def test_it_is_valid_openapi_3_1(spec: Any) -> None:
    assert spec["openapi"] == "3.1.0"
    assert list(OpenAPIV31SpecValidator(spec).iter_errors()) == []


def test_every_v1_route_is_described(world: World, spec: Any) -> None:
    for rule in world.app.url_map.iter_rules():
        if rule.rule.startswith("/v1/") and rule.rule != "/v1/live":
            path = re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule)
            for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}:
                assert method.lower() in spec["paths"].get(path, {}), f"{method} {path}"


def test_every_operation_states_callers_and_refusals(spec: Any) -> None:
    open_doors = {"/v1/sites/{pk}/boot", "/v1/shopper-tokens"}
    for path, item in spec["paths"].items():
        for operation in item.values():
            assert operation["summary"], path
            assert bool(operation["security"]) == (path not in open_doors), path
            refusal = operation["responses"]["default"]["content"]["application/problem+json"]
            assert refusal["schema"]["$ref"].endswith("/Problem")


MODELS = [
    model
    for model in vars(schemas).values()
    if isinstance(model, type) and issubclass(model, BaseModel) and model is not BaseModel
]


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_examples_are_true(model: type[BaseModel]) -> None:
    schema = model.model_json_schema()
    for example in schema.get("examples", []):
        Draft202012Validator(schema).validate(example)
        model.model_validate(example)


def test_what_goes_in_refuses_unknown_fields() -> None:
    for model in MODELS:
        if model.__name__.endswith(("In", "Query")):
            assert model.model_config.get("extra") == "forbid", model.__name__


def test_answers_have_the_described_shape(world: World, spec: Any) -> None:
    sam, photo, garment = world.sam, world.photo(world.sam), world.garment()
    row = world.finished(photo, garment)
    for path, name in (
        (f"/v1/photos/{photo.id}", "PhotoOut"),
        (f"/v1/garments/{garment.id}", "GarmentOut"),
        (f"/v1/try-ons/{row.id}", "TryOnOut"),
    ):
        schema = getattr(schemas, name).model_json_schema()
        answer: Any = sam.get(path).json
        Draft202012Validator(schema).validate(answer)
        assert set(answer) == set(schema["properties"])


def test_people_can_read_it(world: World, spec: Any) -> None:
    answer = world.anybody().get("/docs")
    assert answer.status_code == 200
    for path in spec["paths"]:
        assert path in answer.text
    assert 'id="photo_not_ready"' in answer.text
    outside = re.findall(r'(?:src|href)="(https?:[^"]+)"', answer.text)
    assert outside == []
    assert "script" not in answer.text
    assert "style-src 'self'" in answer.headers["Content-Security-Policy"]
    for sheet in re.findall(r'href="([^"]+\.css)"', answer.text):
        with world.anybody().get(sheet) as styled:
            assert styled.status_code == 200
