"""Class-conditional object prior: codes in, textured meshes and their derivatives out."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn

from airside_perception.prior.detail import Detail
from airside_perception.prior.extraction import Extraction, extract, target_of
from airside_perception.prior.level_of_detail import vertex_normals
from airside_perception.prior.shape_decoder import ShapeDecoder
from airside_perception.prior.texture_decoder import TextureDecoder
from airside_perception.prior.textured_mesh import LinearizedMesh, TexturedMesh

_CACHED_EXTRACTIONS = 128


@dataclass(frozen=True)
class Prototype:
    """A typical object of a class: where inversion starts, since the class mean of very different shapes is a blob.

    Attributes:
        name: kind, or family of aircraft.
        shape: (S,) float32.
        texture: (T,) float32.
        size: (3,) float32 length, width, height in metres.
    """

    name: str
    shape: Tensor
    texture: Tensor
    size: Tensor


class ClassPrior(nn.Module):
    """Decoders and code statistics of one class.

    Attributes:
        shape, texture: the decoders.
        shape_mean, shape_covariance: (S,) and (S, S) of the codes of the training assets.
        texture_mean, texture_covariance: (T,) and (T, T).
        prototype_shape, prototype_texture, prototype_size: (P, S), (P, T) and (P, 3), typical objects.
        prototype_names: their P names.
    """

    shape_mean: Tensor
    shape_covariance: Tensor
    texture_mean: Tensor
    texture_covariance: Tensor
    prototype_shape: Tensor
    prototype_texture: Tensor
    prototype_size: Tensor

    def __init__(self, shape: ShapeDecoder, texture: TextureDecoder) -> None:
        super().__init__()
        self.shape, self.texture = shape, texture
        for name, size in (("shape", shape.code_size), ("texture", texture.code_size)):
            self.register_buffer(f"{name}_mean", torch.zeros(size))
            self.register_buffer(f"{name}_covariance", torch.eye(size))
            self.register_buffer(f"prototype_{name}", torch.zeros(0, size))
        self.register_buffer("prototype_size", torch.zeros(0, 3))
        self.prototype_names: tuple[str, ...] = ()


class ObjectPrior:
    """Generative prior over the shapes and looks of the tracked classes.

    All meshes live in the box-normalised frame ([-0.5, 0.5]^3, x forward, y left, z up); multiply
    by the object's size for metres. Shape and texture codes are independent. Nothing here keeps
    an autograd graph: derivatives come as explicit Jacobians, with the topology held.
    """

    def __init__(self, classes: Mapping[str, ClassPrior], metadata: Mapping[str, str] | None = None) -> None:
        if not classes:
            raise ValueError("ObjectPrior: expected at least one class, got none")
        self.classes = dict(classes)
        for prior in self.classes.values():
            prior.eval().requires_grad_(False)
        self.metadata = dict(metadata or {})
        self._extractions: OrderedDict[tuple[str, bytes, int | None], tuple[Extraction, Tensor, bool]]
        self._extractions = OrderedDict()

    @staticmethod
    def load(path: str | Path, device: str | torch.device = "cpu") -> ObjectPrior:
        """Read weights that `save` wrote.

        Raises:
            AirsideError: no such file, another format version, or tensors are missing; the message names them.
        """
        from airside_perception.prior.weights import load_prior

        return load_prior(path, device)

    def save(self, path: str | Path) -> None:
        """Write weights (safetensors; large matrices as float16) with version and metadata."""
        from airside_perception.prior.weights import save_prior

        save_prior(self, path)

    @property
    def class_names(self) -> tuple[str, ...]:
        """Classes that the prior knows."""
        return tuple(self.classes)

    @property
    def shape_size(self) -> int:
        """Length S of a shape code."""
        return next(iter(self.classes.values())).shape.code_size

    @property
    def texture_size(self) -> int:
        """Length T of a texture code."""
        return next(iter(self.classes.values())).texture.code_size

    @property
    def device(self) -> torch.device:
        """Where the decoders live and meshes are returned."""
        return next(iter(self.classes.values())).shape.axis_x.device

    def mean_codes(self, class_name: str) -> tuple[Tensor, Tensor]:
        """Mean shape (S,) and texture (T,) code of a class."""
        prior = self.class_prior(class_name)
        return prior.shape_mean.clone(), prior.texture_mean.clone()

    def code_covariance(self, class_name: str) -> tuple[Tensor, Tensor]:
        """Covariance of the shape (S, S) and texture (T, T) codes of a class."""
        prior = self.class_prior(class_name)
        return prior.shape_covariance.clone(), prior.texture_covariance.clone()

    def prototypes(self, class_name: str) -> tuple[Prototype, ...]:
        """Typical objects of a class, at least one per kind it was trained on; none in untrained priors."""
        part = self.class_prior(class_name)
        rows = zip(part.prototype_names, part.prototype_shape, part.prototype_texture, part.prototype_size, strict=True)
        return tuple(Prototype(name, *(each.clone() for each in codes)) for name, *codes in rows)

    def sample_codes(self, class_name: str, generator: torch.Generator, spread: float = 0.7) -> tuple[Tensor, Tensor]:
        """Draw codes from the class's Gaussian, its standard deviations scaled by `spread`."""
        codes = []
        for mean, covariance in zip(self.mean_codes(class_name), self.code_covariance(class_name), strict=True):
            noise = torch.randn(len(mean), generator=generator).to(self.device)
            jitter = 1e-6 * torch.eye(len(mean), device=self.device)
            codes.append(mean + spread * torch.linalg.cholesky(covariance + jitter) @ noise)
        return codes[0], codes[1]

    @torch.no_grad()
    def decode(
        self,
        class_name: str,
        shape: ArrayLike | Tensor,
        texture: ArrayLike | Tensor,
        level: str | int = "refine",
        detail: Detail | None = None,
    ) -> TexturedMesh:
        """Decode codes to a mesh.

        Args:
            class_name: one of `class_names`.
            shape: (S,) float code.
            texture: (T,) float code.
            level: "full", "refine" (about 1,500 triangles), "far" (about 400) or a triangle count.
            detail: what `invert_views` found of this object beyond its codes.

        Returns:
            `TexturedMesh`; where the code's surface is empty, the class mean's with `fallback` set.

        Raises:
            ValueError: unknown class or level, a code of the wrong length, one that isn't finite, or a detail of
                another lattice.
        """
        prior = self.class_prior(class_name)
        if detail is None:
            extraction, sdf, fallback = self._extraction(class_name, shape, level)
        else:
            extraction, sdf, fallback = self._detailed(class_name, shape, level, detail)
        vertices = extraction.vertices(prior.shape, sdf)
        colors = prior.texture(vertices, self._code(texture, self.texture_size, "texture"))
        normals = vertex_normals(vertices, extraction.faces)
        if detail is not None and detail.colors is not None and not fallback:
            colors = (colors + detail.colors.at(vertices, normals)).clamp(0.0, 1.0)
        return TexturedMesh(vertices, extraction.faces.to(torch.int32), normals, colors, fallback)

    @torch.no_grad()
    def shape_jacobian(self, class_name: str, shape: ArrayLike | Tensor, level: str | int = "refine") -> Tensor:
        """Derivative of `decode`'s vertices in the shape code: (V, 3, S), topology held.

        Exact along the lattice edges that carry the vertices; at reduced levels the mean over each
        vertex group. Where an edge hardly crosses the surface entries grow large: bound steps by pixels.
        """
        extraction, sdf, _ = self._extraction(class_name, shape, level)
        return extraction.jacobian(self.class_prior(class_name).shape, sdf)

    @torch.no_grad()
    def texture_jacobian(
        self, class_name: str, shape: ArrayLike | Tensor, texture: ArrayLike | Tensor, level: str | int = "refine"
    ) -> Tensor:
        """Derivative of `decode`'s colours in the texture code: (V, 3, T), vertices held."""
        return self.decode_linearized(class_name, shape, texture, level).texture_jacobian

    @torch.no_grad()
    def decode_linearized(
        self, class_name: str, shape: ArrayLike | Tensor, texture: ArrayLike | Tensor, level: str | int = "refine"
    ) -> LinearizedMesh:
        """`decode` with both Jacobians in one pass; arguments and errors as there."""
        prior = self.class_prior(class_name)
        extraction, sdf, fallback = self._extraction(class_name, shape, level)
        vertices = extraction.vertices(prior.shape, sdf)
        colors, texture_jacobian = prior.texture.jacobian(vertices, self._code(texture, self.texture_size, "texture"))
        normals = vertex_normals(vertices, extraction.faces)
        mesh = TexturedMesh(vertices, extraction.faces.to(torch.int32), normals, colors, fallback)
        return LinearizedMesh(mesh, extraction.jacobian(prior.shape, sdf), texture_jacobian)

    @torch.no_grad()
    def vertices_at(
        self, class_name: str, base_shape: ArrayLike | Tensor, shape: ArrayLike | Tensor, level: str | int = "refine"
    ) -> Tensor:
        """Vertices of code `shape` on the topology that `base_shape` has: (V, 3).

        For codes near `base_shape`; edges that no longer cross the surface extrapolate.
        """
        decoder = self.class_prior(class_name).shape
        extraction = self._extraction(class_name, base_shape, level)[0]
        sdf = decoder(self._code(shape, self.shape_size, "shape")[None])[0]
        return extraction.vertices(decoder, sdf)

    def _extraction(
        self, class_name: str, shape: ArrayLike | Tensor, level: str | int
    ) -> tuple[Extraction, Tensor, bool]:
        """Topology, the distances that it shows, and whether that is the fallback; cached."""
        decoder = self.class_prior(class_name).shape
        code = self._code(shape, self.shape_size, "shape")
        target = target_of(level)
        key = (class_name, code.cpu().numpy().tobytes(), target)
        if key in self._extractions:
            self._extractions.move_to_end(key)
            return self._extractions[key]
        sdf = decoder(code[None])[0]
        extraction, fallback = extract(decoder, sdf, target), False
        if extraction is None:
            fallback = True
            sdf = decoder(self.class_prior(class_name).shape_mean[None])[0]
            extraction = extract(decoder, sdf, target)
        if extraction is None:
            raise ValueError(
                f"prior of {class_name!r}: the class mean has no surface; the weights are unusable, retrain"
            )
        self._extractions[key] = (extraction, sdf, fallback)
        if len(self._extractions) > _CACHED_EXTRACTIONS:
            self._extractions.popitem(last=False)
        return self._extractions[key]

    def _detailed(
        self, class_name: str, shape: ArrayLike | Tensor, level: str | int, detail: Detail
    ) -> tuple[Extraction, Tensor, bool]:
        """As `_extraction`, with an object's own offsets; not cached, since no other object has them."""
        decoder = self.class_prior(class_name).shape
        if tuple(detail.distances.shape) != decoder.grid_shape:
            raise ValueError(
                f"detail: expected distances {decoder.grid_shape} of class {class_name!r}, "
                f"got {tuple(detail.distances.shape)}"
            )
        sdf = decoder(self._code(shape, self.shape_size, "shape")[None])[0] + detail.distances.to(self.device)
        extraction = extract(decoder, sdf, target_of(level))
        if extraction is None:
            return self._extraction(class_name, shape, level)
        return extraction, sdf, False

    def class_prior(self, class_name: str) -> ClassPrior:
        """Decoders and code statistics of a class.

        Raises:
            ValueError: unknown class.
        """
        if class_name not in self.classes:
            raise ValueError(f"class: expected one of {self.class_names}, got {class_name!r}")
        return self.classes[class_name]

    def _code(self, code: ArrayLike | Tensor, size: int, name: str) -> Tensor:
        values = torch.as_tensor(code if isinstance(code, Tensor) else np.asarray(code)).detach()
        if values.shape != (size,):
            raise ValueError(f"{name} code: expected shape ({size},), got {tuple(values.shape)}")
        values = values.to(device=self.device, dtype=torch.float32)
        if not bool(torch.isfinite(values).all()):
            raise ValueError(f"{name} code: expected finite values, got {int((~torch.isfinite(values)).sum())} others")
        return values
