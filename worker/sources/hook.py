"""A source that delivers to ``/hooks/NAME``: its secrets, its signature and how its bodies are read."""

from dataclasses import replace
from functools import cached_property
from typing import Self

from pydantic import SecretStr, ValidationInfo, field_validator, model_validator

from worker.sources.body import BodyInvalid, parse
from worker.sources.delivery import Delivery, Parsed
from worker.sources.keys import SecretUnfit
from worker.sources.kinds import KINDS
from worker.sources.mapping import BodyMap
from worker.sources.secret import SecretsOfFiles, SecretsOfVariables
from worker.sources.sections import HydrateSection, MapSection, SignatureSection, ToleranceSection
from worker.sources.signature import BadSignature, Preset, Proof, check_secret, claim, verify
from worker.sources.source import SourceConfig, SourceKind
from worker.toml.problems import WrongAt

_EITHER = "give either secret_env or secret_file"


class HookSource(SourceConfig):
    """A source with a hook. Its kind says how it signs."""

    signature: ToleranceSection | None = None
    map: MapSection | None = None
    hydrate: HydrateSection | None = None
    secret_env: SecretsOfVariables = ()
    secret_file: SecretsOfFiles = ()

    @property
    def secrets(self) -> tuple[SecretStr, ...]:
        """Any of them may have signed; several during a rotation."""
        return self.secret_env + self.secret_file

    @cached_property
    def preset(self) -> Preset:
        """How its deliveries are signed."""
        return _preset(self.kind, self.signature)

    @property
    def tells_events(self) -> bool:
        """Tell whether its bodies are canonical events."""
        return self.map is None

    def read(self, delivery: Delivery) -> Parsed:
        """Verify a delivery and return what it tells. Raises BadSignature, then BodyInvalid, and nothing else."""
        return self._told(delivery, verify(self.preset, delivery, self.secrets))

    def read_again(self, delivery: Delivery) -> Parsed:
        """Return what a delivery tells that was verified when it came. Raises BodyInvalid, and nothing else."""
        try:
            return self._told(delivery, claim(self.preset, delivery))
        except BadSignature as error:
            raise BodyInvalid(f"it was not kept with what this reading needs: {error}") from error

    @cached_property
    def needed_headers(self) -> frozenset[str]:
        """The headers, in small letters, that reading a delivery again needs."""
        greeting = self.preset.greeting and self.preset.greeting[0]
        named = ("content-type", self.preset.id_header, self.preset.timestamp_header, greeting)
        return frozenset(name.lower() for name in named if name)

    def _told(self, delivery: Delivery, proof: Proof) -> Parsed:
        if self._is_greeting(delivery):
            return Parsed(passed_over=1)
        if self.map is None:
            return Parsed(tuple(parse(delivery.body)))
        return BodyMap(self.name, self.map, thin=self.hydrate is not None).parse(delivery, proof)

    def _is_greeting(self, delivery: Delivery) -> bool:
        if self.preset.greeting is None:
            return False
        header, value = self.preset.greeting
        return any(name.lower() == header.lower() and sent == value for name, sent in delivery.headers.items())

    @model_validator(mode="before")
    @classmethod
    def _ready(cls, given: dict[str, object]) -> dict[str, object]:
        ready, written = KINDS[SourceKind(str(given["kind"]))].map, given.get("map", {})
        return {**given, "map": {**ready, **written}} if ready and isinstance(written, dict) else given

    @field_validator("secret_file", mode="before")
    @classmethod
    def _one_place(cls, given: object, info: ValidationInfo) -> object:
        if info.data.get("secret_env"):
            raise ValueError(_EITHER)
        return given

    @field_validator("secret_env", "secret_file")
    @classmethod
    def _fit(cls, secrets: tuple[SecretStr, ...], info: ValidationInfo) -> tuple[SecretStr, ...]:
        if "signature" not in info.data:
            return secrets  # what is wrong there is told
        for number, secret in enumerate(secrets, start=1):
            try:
                check_secret(_preset(info.data["kind"], info.data["signature"]), secret)
            except SecretUnfit as error:
                raise ValueError(f"secret {number}: {error}" if len(secrets) > 1 else str(error)) from None
        return secrets

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if not self.secrets:
            raise ValueError(_EITHER)
        if self.signature and self.signature.tolerance and self.preset.timestamp_header is None:
            raise WrongAt(("signature", "tolerance"), "is of no use: this kind signs no timestamp")
        if self.hydrate and self.map is None:
            raise WrongAt(("map",), "is required: it says who a delivery is about and which facts the record holds")
        if self.map and not (self.hydrate or self.map.facts or any(self.map.types.values())):
            raise WrongAt(("map",), f"needs facts or [sources.{self.name}.hydrate]: it tells no more than who changed")
        return self


class HmacSource(HookSource):
    """A source whose signature the operator declares."""

    signature: SignatureSection


def _preset(kind: SourceKind, signature: ToleranceSection | None) -> Preset:
    if isinstance(signature, SignatureSection):
        return signature.preset
    preset = KINDS[kind].preset
    assert preset is not None
    return replace(preset, tolerance=(signature and signature.tolerance) or preset.tolerance)
