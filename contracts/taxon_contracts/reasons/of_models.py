"""Reasons of a model: all is well, it is on its way, or a person has to act."""

from taxon_contracts.reasons.reason import (
    AGAIN,
    BLOCKED,
    GATE_REFUSED,
    PROGRESS,
    ROLLOUT_BLOCKED,
    RUN_FAILED,
    RUN_GOES_ON,
    Reason,
)

OF_MODELS: tuple[Reason, ...] = (
    # All is well
    Reason("VersionLive", ("Ready",), "The desired version is live and its URL answers."),
    Reason(
        "Pinned",
        ("Ready",),
        "The pinned version is live and its URL answers; newer versions are not rolled out.",
        "remove pinnedVersion to follow the newest version",
    ),
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
        "pinnedVersion is not a version that is kept.",
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
        "gate.limits were edited after the version was judged, and it would be judged"
        " differently now.",
        f"{AGAIN} to train a version and judge it by the limits as they are now",
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
