"""The exact classifier: scikit-learn's probabilities and labels, without scikit-learn."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from taxon_bundle.bundle import Bundle, BundleError
from taxon_bundle.codec import BadRow, Codec, Encoded, Rows
from taxon_bundle.graph_width import widest_step
from taxon_contracts.manifest import GOLDEN_NAME, SERVING_NAME, Manifest

Probabilities = NDArray[np.float64]
"""Output, shape [rows, classes]: in the order of the manifest's classes."""

GRAPH_INPUT = "rows"
GRAPH_OUTPUTS = ("probabilities", "peak")
"""``peak`` is each row's largest absolute value after scaling and products, as float32."""
GRAPH_SCALED = "scaled"
"""Each fitted number and boolean after scaling, computed only to name the one that overflows."""
GRAPH_ROWS_AT_ONCE = "rows_at_once"
"""Metadata of a graph that needs much memory for each row; absent where any number will do."""
VALUES_AT_ONCE = 2**17
"""Values a graph makes of rows in one step at most; it keeps the values of several steps."""
EXTERNAL_DATA_MARK = b"location"
"""How an ONNX tensor names a file outside the graph; a serving graph never has one."""


@dataclass(frozen=True)
class Classifier:
    """A loaded serving graph and the signature it answers for."""

    manifest: Manifest
    session: Any
    rows_at_once: int

    @classmethod
    def load(cls, bundle: Bundle) -> Self:
        """Load a bundle's serving file, verified before it is parsed.

        Raises:
            BundleError: the file is not what the manifest says, or no graph that can be run.
            StorageError: storage did not answer.
        """
        return cls.from_graph(bundle.read(SERVING_NAME), bundle.manifest)

    @classmethod
    def from_graph(cls, graph: bytes, manifest: Manifest) -> Self:
        """Load a serving graph from its bytes.

        Raises:
            BundleError: the bytes are no graph that can be run, or refer to other files.
        """
        if EXTERNAL_DATA_MARK in graph:
            raise BundleError(SERVING_NAME, "it refers to data outside itself: do not use it")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.enable_cpu_mem_arena = False  # an arena keeps what the largest request took
        options.log_severity_level = 4
        try:
            session = onnxruntime.InferenceSession(
                graph, sess_options=options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # onnxruntime's errors share no public base class
            raise BundleError(SERVING_NAME, f"it cannot be run: {error}") from error
        widest = max(len(manifest.features), widest_step(graph))
        rows = min(_rows_at_once(session) or VALUES_AT_ONCE, VALUES_AT_ONCE // widest)
        classifier = cls(manifest, session, max(1, rows))
        classifier._check_shapes()
        return classifier

    @property
    def classes(self) -> tuple[str, ...] | tuple[int, ...]:
        """Return the classes in the order of the probabilities."""
        return self.manifest.classes

    @property
    def features(self) -> tuple[str, ...]:
        """Return every input's name in order, dropped ones included."""
        return tuple(feature.name for feature in self.manifest.features)

    @cached_property
    def codec(self) -> Codec:
        """Return what turns a client's rows into the classifier's, and back."""
        return Codec(self.manifest.features)

    def probabilities(self, rows: Rows) -> Probabilities:
        """Return each row's probability per class, shape [rows, classes].

        Raises:
            BadRow: a value is missing where the model takes none, infinite, or overflows float32 on
                its way to the classifier.
        """
        finite = np.isfinite(rows)
        if not finite.all():
            self._check_gaps(rows, finite)
        probabilities, peak = self._answers(rows)
        if not np.isfinite(peak).all():
            row = int(np.flatnonzero(~np.isfinite(peak))[0])
            column = self._largest(rows[row])
            reason = f"is too large for the classifier ({rows[row, column]:g})"
            raise BadRow(row, self.features[column], reason)
        return probabilities

    def _check_gaps(self, rows: Rows, finite: NDArray[np.bool_]) -> None:
        """Refuse what is not finite, except missing values where the model takes them."""
        fine = finite | np.isnan(rows) & self.codec.gaps
        if fine.all():
            return
        row, column = (int(index) for index in np.argwhere(~fine)[0])
        misfit = self.codec.misfit(column, rows[row, column])
        assert misfit is not None  # noqa: S101 - the line above says so
        raise BadRow(row, self.features[column], misfit.reason, misfit.kind)

    def _answers(self, rows: Rows) -> tuple[Probabilities, NDArray[np.float32]]:
        """Return the graph's outputs, with bounded memory for intermediate results."""
        step = self.rows_at_once
        if len(rows) <= step:
            probabilities, peak = self.session.run(GRAPH_OUTPUTS, {GRAPH_INPUT: rows})
            return probabilities, peak
        probabilities = np.empty((len(rows), len(self.classes)))
        peak = np.empty(len(rows), np.float32)
        for start in range(0, len(rows), step):
            part = slice(start, start + step)
            probabilities[part], peak[part] = self.session.run(
                GRAPH_OUTPUTS, {GRAPH_INPUT: rows[part]}
            )
        return probabilities, peak

    def labels(self, probabilities: Probabilities) -> NDArray[np.intp]:
        """Return each row's class as an index, shape [rows].

        Beyond two classes the most probable one, the first of equals; a binary label is the
        positive class exactly when its probability is above the threshold.
        """
        positive, threshold = self.manifest.positive_index, self.manifest.threshold
        if positive is None or threshold is None:
            best: NDArray[np.intp] = probabilities.argmax(axis=1)
            return best
        above = probabilities[:, positive] > threshold
        index: NDArray[np.intp] = np.where(above, positive, 1 - positive)
        return index

    def _largest(self, row: Rows) -> int:
        """Return the position of the fitted number that is largest once scaled."""
        (scaled,) = self.session.run((GRAPH_SCALED,), {GRAPH_INPUT: row[None, :]})
        return self._scaled[int(np.argmax(np.abs(scaled[0])))]

    @property
    def _scaled(self) -> list[int]:
        """Return the positions of the features that are scaled, in the order of the graph."""
        return [
            index
            for index, feature in enumerate(self.manifest.features)
            if not feature.dropped and feature.type != "Categorical"
        ]

    def _check_shapes(self) -> None:
        """Refuse a graph whose inputs and outputs differ from the manifest."""
        shapes = {
            value.name: list(value.shape)[1:]
            for value in (*self.session.get_inputs(), *self.session.get_outputs())
        }
        expected = {
            GRAPH_INPUT: [len(self.features)],
            GRAPH_OUTPUTS[0]: [len(self.classes)],
            GRAPH_OUTPUTS[1]: [],
            GRAPH_SCALED: [len(self._scaled)],
        }
        if shapes != expected:
            raise BundleError(
                SERVING_NAME, "its inputs and outputs differ from the manifest: do not use it"
            )


def _rows_at_once(session: Any) -> int | None:
    """Return how many rows the graph asks to be given at a time; None where any number will do."""
    asked = session.get_modelmeta().custom_metadata_map.get(GRAPH_ROWS_AT_ONCE)
    if asked is None:
        return None
    if not asked.isdecimal() or int(asked) < 1:
        raise BundleError(SERVING_NAME, f"it asks for {asked!r} rows at a time: do not use it")
    return int(asked)


def golden_rows(classifier: Classifier, golden: Mapping[str, Any]) -> Encoded:
    """Return the rows of a golden file, which has them as a client writes them."""
    return classifier.codec.encode_rows(golden["rows"])


def check_golden(classifier: Classifier, golden: bytes) -> None:
    """Compare the classifier's answers with the ones scikit-learn gave at training time.

    Raises:
        BundleError: an answer differs by more than the recorded tolerance.
    """
    expected = json.loads(golden)
    reference = np.array(expected["probabilities"])
    probabilities = classifier.probabilities(golden_rows(classifier, expected).rows)
    worst = float(np.abs(probabilities - reference).max())
    if not worst <= expected["tolerance"]:
        raise BundleError(
            GOLDEN_NAME, f"an answer differs by {worst:.3g} from scikit-learn's: do not use it"
        )
    labels = [classifier.classes[index] for index in classifier.labels(reference)]
    if labels != expected["labels"]:
        raise BundleError(GOLDEN_NAME, "a label differs from scikit-learn's: do not use it")
