"""Reasons of a model: success, progress, or a person has to act."""

from taxon_contracts.reasons.reason import (
    AGAIN,
    BLOCKED,
    GATE_REFUSED,
    PROGRESS,
    ROLLOUT_BLOCKED,
    RUN_FAILED,
    RUN_IN_PROGRESS,
    Reason,
)

OF_MODELS: tuple[Reason, ...] = (
    # Success
    Reason("VersionLive", ("Ready",), "The desired version is live and its URL answers."),
    Reason(
        "Pinned",
        ("Ready",),
        "The pinned version is live and its URL answers; newer versions are not rolled out.",
        "remove pinnedVersion to follow the newest version",
    ),
    Reason("Succeeded", ("Trained",), "The newest run of this spec trained a version."),
    Reason("LimitsMet", ("GatePassed",), "The version meets every limit."),
    Reason("VersionServing", ("Serving",), "The live version has ready servers."),
    Reason(
        "ServingWithoutGateway",
        ("Serving",),
        "The live version has ready servers, but the cluster has no Gateway API: the version"
        " answers only inside the cluster and has no url.",
        "install the Gateway API and a Gateway if clients outside need the model",
    ),
    # Progress
    Reason("NotRun", ("Trained",), "No run of this spec has started.", "wait"),
    Reason("Training", RUN_IN_PROGRESS, "An attempt of the run is in progress.", "wait"),
    Reason("RetryPending", RUN_IN_PROGRESS, "An attempt failed; another one will start.", "wait"),
    Reason(
        "DatasetVersionUnknown",
        RUN_IN_PROGRESS,
        "The run trains on the newest version of a data set, and the monitor has not said which"
        " that is. Taxon asks it every 30 seconds.",
        "wait; if this does not change, check the Deployment of the monitor",
    ),
    Reason("NotJudged", ("GatePassed",), "There is no version to judge yet.", "wait"),
    Reason("NoVersion", ("Serving",), "No version receives traffic yet.", "wait"),
    Reason("RollingOut", PROGRESS, "The version's servers are starting.", "wait"),
    Reason(
        "ServersUpdating",
        PROGRESS,
        "An edit in place does not run on every server of the live version yet; the old servers"
        " keep serving.",
        "wait",
    ),
    Reason(
        "SwitchingTraffic",
        PROGRESS,
        "The servers are ready and the traffic points at them; the URL does not answer with"
        " that version yet.",
        "wait; if this does not change, check the Gateway",
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
        "read the message, then check the HTTPRoute and the Gateway",
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
        RUN_IN_PROGRESS,
        "An object Taxon needs is being deleted and is created again once it is gone.",
        "wait; if it stays, find out which controller has not removed its finalizer",
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
        "The host name of model, namespace and domain is too long.",
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
        "The API server refused an object Taxon needs: a quota, a policy, a missing permission"
        " or a failing webhook. Taxon retries.",
        "read the message",
    ),
    Reason(
        "ReadFailed",
        (*RUN_FAILED, "Serving"),
        "The controller cannot read objects it needs: a missing permission, or the API server"
        " fails. Live versions keep serving; nothing is started or removed. Taxon retries.",
        "read the message: give the controller the rights of the chart's roles, or check the API"
        " of that kind",
    ),
    Reason(
        "CredentialsMissing",
        (*RUN_FAILED, "Reconciling"),
        "The namespace lacks the ServiceAccount or Secret the pods need.",
        "list the namespace in the chart's modelNamespaces, or create them",
    ),
    Reason(
        "MonitorMissing",
        RUN_FAILED,
        "The model follows the newest version of a data set, and Taxon is installed without the"
        " monitor, which knows it.",
        "set dataset.table.version, or install Taxon with a database",
    ),
    Reason("KServeMissing", BLOCKED, "KServe is not installed.", "install KServe"),
    Reason(
        "PinNotFound",
        BLOCKED,
        "pinnedVersion is not a kept version.",
        "pin one the message lists, or remove pinnedVersion",
    ),
    Reason(
        "PinNotAccepted",
        BLOCKED,
        "The pinned version did not pass the gate in its last run.",
        "pin one the message lists, or remove pinnedVersion",
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
    Reason(
        "GateChanged",
        GATE_REFUSED,
        "gate.limits were edited after the version was judged, and the result would be different"
        " now.",
        f"{AGAIN} to judge a version by the current limits",
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
        "The loader refused the bundle: it is missing, damaged, or has another digest.",
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
        "No node has enough free resources for the pod.",
        "lower training.resources, which replaces the attempt, or serving.resources; or add nodes",
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
        "A run in the background (schedule, annotation or newer data set) has started; the message"
        " has the number of fits.",
    ),
    Reason("RunSucceeded", (), "A run in the background trained a version that passed the gate."),
    Reason(
        "RunRefused",
        (),
        "The gate refused the version of a run in the background; the live version stays.",
        f"read the message; change gate.limits and {AGAIN}",
    ),
    Reason(
        "RunFailed",
        (),
        "A run in the background failed; the live version stays.",
        f"read the message, fix the cause and {AGAIN}",
    ),
    Reason("RunEnded", (), "A run in the background was cancelled."),
    Reason(
        "VersionAbandoned",
        (),
        "The version of a run in the background did not become ready; the live version stays.",
        f"read the message, then {AGAIN}",
    ),
    Reason(
        "CleanupFailed",
        (),
        "Bundles of a deleted model, or of a version beyond the history limit, could not be"
        " removed.",
        "read the message: it names the folders",
    ),
)
