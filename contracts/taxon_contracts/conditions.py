"""Every condition type and every reason Taxon writes, in one table.

``docs/conditions.md`` is generated from it, and what the controller writes is held to it.
"""

from dataclasses import dataclass
from typing import Literal

ConditionType = Literal["Ready", "Trained", "GatePassed", "Serving", "Reconciling", "Stalled"]

CONDITION_TYPES: dict[ConditionType, str] = {
    "Ready": "The version of this generation (or the pinned one) is live and its URL answers.",
    "Trained": "The newest run of this spec made a version.",
    "GatePassed": "The newest version of this spec may be rolled out.",
    "Serving": "The live version has ready servers.",
    "Reconciling": "A change of the spec is being carried out. Absent otherwise.",
    "Stalled": "Taxon waits for a person to act. Absent otherwise.",
}

PROGRESS: tuple[ConditionType, ...] = ("Ready", "Reconciling")
BLOCKED: tuple[ConditionType, ...] = ("Ready", "Stalled")
RUN_GOES_ON: tuple[ConditionType, ...] = ("Ready", "Reconciling", "Trained")
RUN_FAILED: tuple[ConditionType, ...] = ("Ready", "Stalled", "Trained")
GATE_REFUSED: tuple[ConditionType, ...] = ("Ready", "Stalled", "GatePassed")
ROLLOUT_BLOCKED: tuple[ConditionType, ...] = ("Ready", "Stalled", "Reconciling", "Serving")
AGAIN = "set the annotation taxon.dev/retrain to a new value"


@dataclass(frozen=True)
class Reason:
    """One reason: the conditions it can have, what it means and what to do."""

    name: str
    types: tuple[ConditionType, ...]
    meaning: str
    remedy: str = "-"


REASONS: dict[str, Reason] = {
    reason.name: reason
    for reason in (
        # All is well
        Reason("VersionLive", ("Ready",), "The desired version is live and its URL answers."),
        Reason("Succeeded", ("Trained",), "The newest run of this spec made a version."),
        Reason("LimitsMet", ("GatePassed",), "The version meets every limit."),
        Reason("VersionServing", ("Serving",), "The live version has ready servers."),
        Reason(
            "ServingWithoutGateway",
            ("Serving",),
            "The live version has ready servers, but there is no Gateway API: it answers inside"
            " the cluster only and has no url.",
            "install the Gateway API and a Gateway if clients outside need the model",
        ),
        # On its way
        Reason("NotRun", ("Trained",), "No run of this spec has started.", "wait"),
        Reason("Training", RUN_GOES_ON, "An attempt of the run is in progress.", "wait"),
        Reason("RetryPending", RUN_GOES_ON, "An attempt failed; another one will start.", "wait"),
        Reason("NotJudged", ("GatePassed",), "There is no version to judge yet.", "wait"),
        Reason("NoVersion", ("Serving",), "No version receives traffic yet.", "wait"),
        Reason("RollingOut", PROGRESS, "The version's servers are starting.", "wait"),
        Reason(
            "ServersUpdating",
            PROGRESS,
            "What was edited in place does not run on every server of the live version yet; the"
            " servers before it keep serving.",
            "wait",
        ),
        Reason(
            "SwitchingTraffic",
            PROGRESS,
            "The servers are ready and the traffic points at them; the URL does not answer with"
            " that version yet.",
            "wait; if it does not change, check the Gateway",
        ),
        Reason(
            "KServeUnavailable",
            ("Ready", "Reconciling", "Serving"),
            "KServe's webhook or manager does not answer. Deadlines are paused; the live version"
            " is not changed.",
            "check the Deployment of KServe's manager",
        ),
        Reason(
            "ServersNotReady",
            ("Ready", "Serving"),
            "The live version has no ready server.",
            "read the message, then the InferenceService",
        ),
        Reason(
            "URLNotAnswering",
            ("Ready",),
            "The live version has ready servers, but its URL does not answer with it any more.",
            "read the message, then look at the HTTPRoute and the Gateway",
        ),
        Reason(
            "Suspended",
            ("Ready", "Trained"),
            "spec.suspend is true: runs and switches of traffic are stopped, the live version keeps"
            " serving.",
            "set suspend to false",
        ),
        Reason(
            "ObjectBeingDeleted",
            RUN_GOES_ON,
            "An object Taxon needs is being deleted and is created again once it is gone.",
            "wait; if it stays, remove what holds its finalizers",
        ),
        Reason("Deleting", ("Ready",), "The model is being deleted.", "wait"),
        # A person has to act: the resource and its surroundings
        Reason("InvalidSpec", BLOCKED, "The spec cannot be read.", "correct the named field"),
        Reason(
            "InvalidSchedule",
            BLOCKED,
            "retrain.schedule is not a valid five-field cron expression.",
            "fix the field the message names",
        ),
        Reason(
            "RequestTooLarge",
            BLOCKED,
            "The spec is too large for a run request.",
            "list fewer features",
        ),
        Reason(
            "NameTooLong",
            BLOCKED,
            "The host name made of model, namespace and domain is too long.",
            "use a shorter name or namespace",
        ),
        Reason(
            "NameTaken",
            BLOCKED,
            "An object with a name Taxon needs belongs to someone else and was not changed.",
            "rename the model or remove that object",
        ),
        Reason(
            "WriteRefused",
            RUN_FAILED,
            "The API server did not take an object Taxon needs: a quota, a policy, a missing"
            " permission or a webhook that fails. Taxon retries.",
            "read the message",
        ),
        Reason(
            "ReadFailed",
            (*RUN_FAILED, "Serving"),
            "The API server does not let the controller read objects it has to see, or fails to."
            " What serves goes on; nothing begins and nothing is removed meanwhile. Retried.",
            "read the message: give the controller the rights of the chart's roles, or look at the"
            " API behind that kind",
        ),
        Reason(
            "CredentialsMissing",
            (*RUN_FAILED, "Reconciling"),
            "The namespace lacks the ServiceAccount or Secret the pods need.",
            "list the namespace in the chart's modelNamespaces, or create them",
        ),
        Reason("KServeMissing", BLOCKED, "KServe is not installed.", "install KServe"),
        Reason(
            "PinNotFound",
            BLOCKED,
            "pinnedVersion is not one of status.versions.",
            "pin one of status.versions or remove pinnedVersion",
        ),
        Reason(
            "PinNotAccepted",
            BLOCKED,
            "The pinned version did not pass the gate in its last run.",
            "pin a version that did",
        ),
        # A person has to act: the gate
        Reason(
            "LimitNotMet",
            GATE_REFUSED,
            "A metric does not meet its limit.",
            f"change the spec, or change gate.limits and {AGAIN}",
        ),
        Reason(
            "WorseThanChampion",
            GATE_REFUSED,
            "The version is worse than the live one by more than gate.champion.margin.",
            f"change the spec, or widen the margin and {AGAIN}",
        ),
        Reason(
            "MetricNotFinite",
            GATE_REFUSED,
            "A metric with a limit has no finite value on the held-out rows.",
            "remove the limit or hold out more rows",
        ),
        # A person has to act: the run
        Reason("BundleCorrupt", RUN_FAILED, "The bundle in object storage is damaged.", AGAIN),
        Reason(
            "ClassMissing",
            RUN_FAILED,
            "positiveClass is not a class of the table.",
            "correct dataset.positiveClass",
        ),
        Reason(
            "DatasetChanged",
            RUN_FAILED,
            "The table at the URI is not the one this version was trained on.",
            AGAIN,
        ),
        Reason(
            "DatasetNotFound",
            RUN_FAILED,
            "There is no table at the URI.",
            f"correct the URI, or add the table and {AGAIN}",
        ),
        Reason(
            "DatasetUnreadable",
            RUN_FAILED,
            "The table cannot be parsed.",
            f"correct the table and {AGAIN}",
        ),
        Reason(
            "FeatureCopiesTarget",
            RUN_FAILED,
            "A feature is a copy of the target.",
            "list dataset.features without it",
        ),
        Reason(
            "FeatureMissing",
            RUN_FAILED,
            "A listed feature is not a column.",
            "correct dataset.features",
        ),
        Reason("InfiniteValues", RUN_FAILED, "A value is infinite.", f"correct it and {AGAIN}"),
        Reason(
            "InvalidParameter",
            RUN_FAILED,
            "scikit-learn refuses a parameter.",
            "correct pipeline.classifier.parameters",
        ),
        Reason(
            "InvalidRun",
            RUN_FAILED,
            "The trainer cannot read the run request.",
            "use controller and trainer of the same release",
        ),
        Reason(
            "LabelsNotDiscrete",
            RUN_FAILED,
            "The target column holds fractions; a classifier needs text or integer labels.",
            "choose another target in a new ClassifierModel",
        ),
        Reason("MissingValues", RUN_FAILED, "A value is missing.", f"fill it in and {AGAIN}"),
        Reason(
            "NonNumericFeature",
            RUN_FAILED,
            "A listed feature is not numeric.",
            "remove it from dataset.features",
        ),
        Reason(
            "ParityFailed",
            RUN_FAILED,
            "The serving graph does not answer as scikit-learn does.",
            "report it with the trainer's log",
        ),
        Reason(
            "SearchNotFinite",
            RUN_FAILED,
            "No combination gave a finite score.",
            "change metric, folds or parameters",
        ),
        Reason("SingleClass", RUN_FAILED, "The target has one class only.", "choose another table"),
        Reason(
            "TargetMissing",
            RUN_FAILED,
            "The target is not a column.",
            "set dataset.target in a new ClassifierModel",
        ),
        Reason("TooFewRows", RUN_FAILED, "A class has too few rows.", f"add rows and {AGAIN}"),
        Reason(
            "ModelTooLarge",
            RUN_FAILED,
            "The classifier does not fit into the trainer's memory, or into a serving file.",
            f"raise training.resources (and {AGAIN}), or lower the hyperparameters the message"
            " names",
        ),
        Reason(
            "TooManyFeatures",
            RUN_FAILED,
            "The table is too wide.",
            "list fewer features or degrees",
        ),
        Reason(
            "DeadlineExceeded",
            RUN_FAILED,
            "An attempt took longer than training.deadlineSeconds.",
            f"raise it and {AGAIN}",
        ),
        Reason(
            "AttemptsExhausted",
            RUN_FAILED,
            "Every attempt failed; the message has the last reason.",
            f"fix the cause and {AGAIN}",
        ),
        Reason(
            "Superseded",
            ("Trained",),
            "The spec changed before the run ended. In status.versions only.",
        ),
        Reason(
            "ResultLost",
            ("Trained",),
            "The pod of a run is gone and with it the run's result. In status.versions only.",
            AGAIN,
        ),
        Reason(
            "Unknown",
            (*RUN_FAILED, "GatePassed"),
            "Another release of Taxon wrote a reason this one does not know; read the message.",
            f"upgrade the controller, or {AGAIN}",
        ),
        Reason(
            "InternalError",
            ("Trained",),
            "The trainer failed in an unexpected way. Taxon retries.",
            "report it with the trainer's log",
        ),
        Reason(
            "StorageDenied",
            ("Trained",),
            "Object storage refused the credentials. Taxon retries.",
            "correct the Secret",
        ),
        Reason(
            "StorageUnavailable",
            ("Trained",),
            "Object storage did not answer. Taxon retries.",
            "check the object storage",
        ),
        Reason(
            "PodLost",
            ("Trained",),
            "The pod ended without a result (node lost, evicted, deleted). Taxon retries.",
        ),
        # A person has to act: the rollout
        Reason(
            "OutOfMemory",
            (*RUN_FAILED, "Serving"),
            "A container needed more memory than its limit.",
            f"raise training.resources (and {AGAIN}) or serving.resources",
        ),
        Reason(
            "ImagePullFailed",
            (*RUN_FAILED, "Reconciling", "Serving"),
            "An image cannot be pulled.",
            "correct the image or its registry's credentials",
        ),
        Reason(
            "BundleRefused",
            ROLLOUT_BLOCKED,
            "The loader refused the bundle: missing, damaged, or not the one of this digest.",
            f"pin another version, or {AGAIN}",
        ),
        Reason(
            "ServerCrashed",
            ROLLOUT_BLOCKED,
            "The server keeps crashing; the message has its last line.",
            "read the server's log",
        ),
        Reason(
            "Unschedulable",
            (*ROLLOUT_BLOCKED, "Trained"),
            "No node has room for the pod.",
            "lower resources or add nodes",
        ),
        Reason(
            "ProgressDeadlineExceeded",
            ROLLOUT_BLOCKED,
            "The version was not ready within rollout.progressDeadlineSeconds.",
            f"read the message, then {AGAIN}",
        ),
        # Events only
        Reason("TrafficSwitched", (), "Another version receives the traffic."),
        Reason(
            "RunStarted",
            (),
            "A run in the background (schedule or annotation) has begun; the message has the"
            " number of fits.",
        ),
        Reason("RunSucceeded", (), "A run in the background gave a version that passed."),
        Reason(
            "RunRefused",
            (),
            "The gate refused the version of a run in the background; the live one stays.",
            f"read the message; change gate.limits and {AGAIN}",
        ),
        Reason(
            "RunFailed",
            (),
            "A run in the background gave no version; the live one stays.",
            f"read the message, fix the cause and {AGAIN}",
        ),
        Reason("RunEnded", (), "A run in the background was given up."),
        Reason(
            "VersionAbandoned",
            (),
            "The version of a run in the background did not become ready; the live one stays.",
            f"read the message, then {AGAIN}",
        ),
        Reason(
            "CleanupFailed",
            (),
            "Bundles of a deleted model, or of a version that is not kept, could not be removed.",
            "read the message: it names the folders",
        ),
    )
}


def conditions_page() -> str:
    """Return ``docs/conditions.md``."""
    lines = [
        "# Conditions and reasons",
        "",
        "Generated from `contracts/taxon_contracts/conditions.py` by `make generate`; do not edit.",
        "",
        (
            "`kubectl wait --for=condition=Ready clm/NAME` waits for what the spec asks for. A run"
            " in the background (schedule, annotation) changes neither Ready nor Reconciling."
        ),
        "",
        "| condition | says |",
        "|---|---|",
        *(f"| {name} | {text} |" for name, text in CONDITION_TYPES.items()),
        "",
        "Reasons are stable: programs may rely on them. Messages are for people and may change.",
        "",
        "| reason | on | means | what to do |",
        "|---|---|---|---|",
        *(
            f"| {one.name} | {', '.join(one.types) or 'Event'} | {one.meaning} | {one.remedy} |"
            for one in sorted(REASONS.values(), key=lambda reason: reason.name)
        ),
        "",
    ]
    return "\n".join(lines)
