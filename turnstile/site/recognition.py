"""The section `recognition` of a site file: how faces are found and encoded."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from turnstile.errors import ConfigError


class RecognitionSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How recognizers find and encode faces; the same for all of them."""

    engine: Literal["reference", "accelerated"] = "accelerated"
    """``reference``: the face_recognition library on dlib. ``accelerated``: the same networks on a model
    runtime, and less to search; it alone heeds the fields below that name it."""
    min_face_px: Annotated[int, Meta(ge=20, le=1000)] = 40
    """Smallest face to look for in a frame. Halving it quadruples the time of a search."""
    min_enrol_face_px: Annotated[int, Meta(ge=20, le=1000)] = 60
    """Smallest face accepted in an enrolment picture."""
    detector: Literal["auto", "blazeface", "hog", "cnn"] = "auto"
    """Accelerated engine: MediaPipe's BlazeFace, dlib's HOG or its convolutional detector. ``auto`` is the
    faster of the first two on the machine at hand, timed once. Enrolment pictures are searched by HOG, or by
    ``cnn`` if that is named."""
    min_detection_score: Annotated[float, Meta(ge=-1, le=2)] = 0.3
    """Accelerated engine: how sure the convolutional detector must be, of every face or of those that
    another doubts; 0 is dlib's own threshold. On 8 clips of 3 people (2026-11), 0.3 to 0.6 find every face
    and no false one; see `turnstile.vision.detect.hog`."""
    full_scan_every: Annotated[int, Meta(ge=1, le=1000)] = 15
    """Accelerated engine: beside people who stay where they were, a newcomer is looked for in one of so many
    recognized frames of a camera; 1 searches every frame in full."""
    skip_unchanged: bool = True
    """Frames of an empty scene that has not changed count as looked at, and no recognizer gets them."""
    look_every_s: Annotated[float, Meta(gt=0, le=10)] = 2.0
    """Even such a scene is looked at this often: somebody whom no change shows is found after so long."""
    confirm_every_s: Annotated[float, Meta(ge=0, le=5)] = 0.5
    """Somebody decided about who stays in place is found in each frame and encoded this often. Another person
    in that place is noticed after so long; 0 encodes every face in every frame."""
    encode_budget_ms: Annotated[float, Meta(ge=1, le=10_000)] = 150.0
    """No face of a frame begins to be encoded after so long; what is left has its turn in later frames. With
    it another door waits about a third of a second at most for a frame full of faces."""
    policy: Literal["auto", "raw", "unit", "mirror", "paddings", "points68", "everything68"] = "auto"
    """What is encoded of a face in a frame, see `turnstile.vision.encode.encoder`; ``auto`` is ``raw`` for
    the reference engine, which knows no other, and ``mirror`` for the accelerated one. The two with 68 use a
    landmark model whose training data exclude commercial use."""
    enrol_policy: Literal["auto", "raw", "unit", "mirror", "paddings", "points68", "everything68"] = "auto"
    """The same for enrolment pictures; ``auto`` is ``raw`` if `policy` is, else ``paddings``."""
    precision: Literal["auto", "float32", "bfloat16", "int8"] = "auto"
    """Accelerated engine: what faces of frames are encoded in. ``auto`` measures once what is fastest on this
    machine; none loses accuracy (docs/decisions/0016-precision-by-measurement.md). ``bfloat16`` needs a
    processor that has it. Enrolment pictures are always encoded in float32."""
    credits: Annotated[int, Meta(ge=1, le=64)] = 8
    """Most pieces of work a recognizer has at a time. It gets a second one only where the way to it and back
    takes as long as its work, as over a slow line: the broker measures it
    (docs/decisions/0024-as-many-credits-as-the-line-is-long.md). 1 forbids it."""

    def __post_init__(self) -> None:
        """Refuse policies that the engine does not know, and mixtures that cannot be compared."""
        if self.engine == "reference" and {self.policy, self.enrol_policy} - {"auto", "raw"}:
            raise ConfigError("the reference engine has policy and enrol_policy raw only", place=("engine",))
        if (self.frame_policy == "raw") != (self.picture_policy == "raw"):
            raise ConfigError(
                "raw encodings compare with raw ones only, not with others", place=("enrol_policy",)
            )

    @property
    def frame_policy(self) -> str:
        """Return the policy for faces in frames, with ``auto`` resolved."""
        if self.policy != "auto":
            return self.policy
        return "raw" if self.engine == "reference" else "mirror"

    @property
    def picture_policy(self) -> str:
        """Return the policy for enrolment pictures, with ``auto`` resolved."""
        if self.enrol_policy != "auto":
            return self.enrol_policy
        return "raw" if self.frame_policy == "raw" else "paddings"

    @property
    def encoding(self) -> str:
        """Return the name of the weights and policies in use; only encodings of one name may be compared."""
        live, enrolled = self.frame_policy, self.picture_policy
        return f"dlib-resnet-v1/{live}" if live == enrolled else f"dlib-resnet-v1/{live}+{enrolled}"
