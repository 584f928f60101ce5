{{/* Labels of every object; call with (list $ "component"). */}}
{{- define "taxon.labels" -}}
{{- $root := first . -}}
helm.sh/chart: {{ printf "%s-%s" $root.Chart.Name $root.Chart.Version }}
app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
{{ include "taxon.selectorLabels" . }}
{{- end }}

{{/* Labels that never change, for selectors; call with (list $ "component"). */}}
{{- define "taxon.selectorLabels" -}}
{{- $root := first . -}}
app.kubernetes.io/name: taxon
app.kubernetes.io/part-of: taxon
app.kubernetes.io/instance: {{ $root.Release.Name }}
app.kubernetes.io/component: {{ last . }}
{{- end }}

{{/* An image; call with (list $ "component"). */}}
{{- define "taxon.image" -}}
{{- $root := first . -}}
{{ printf "%s/%s:%s" $root.Values.image.registry (last .) ($root.Values.image.tag | default $root.Chart.AppVersion) }}
{{- end }}

{{- define "taxon.podSecurityContext" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "taxon.securityContext" -}}
allowPrivilegeEscalation: false
capabilities: {drop: [ALL]}
readOnlyRootFilesystem: true
runAsNonRoot: true
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "taxon.imagePullSecrets" -}}
{{- with .Values.image.pullSecrets }}
imagePullSecrets:
{{- range . }}
- name: {{ . | quote }}
{{- end }}
{{- end }}
{{- end }}

{{/* The namespaces with trainers: those of the models, and the controller's own, which cleans up. */}}
{{- define "taxon.namespaces" -}}
{{- append .Values.modelNamespaces .Release.Namespace | uniq | sortAlpha | toJson }}
{{- end }}

{{- define "taxon.evaluation" -}}
{{- if or .Values.objectStore.evaluation .Values.database.evaluation }}true{{ end }}
{{- end }}

{{- define "taxon.database" -}}
{{- if or .Values.database.evaluation .Values.database.secretName }}true{{ end }}
{{- end }}

{{- define "taxon.credentials" -}}
{{- if or (include "taxon.evaluation" .) .Values.objectStore.writeSecretName .Values.database.secretName }}true{{ end }}
{{- end }}

{{/* The environment of the controller; every name is a field of its Settings. */}}
{{- define "taxon.controllerEnv" -}}
- name: TAXON_CONTROLLER_NAMESPACE
  valueFrom: {fieldRef: {fieldPath: metadata.namespace}}
- name: TAXON_CONTROLLER_IDENTITY
  valueFrom: {fieldRef: {fieldPath: metadata.name}}
- name: TAXON_CONTROLLER_TRAINER_IMAGE
  value: {{ include "taxon.image" (list . "training-job") }}
- name: TAXON_CONTROLLER_BUNDLE_ROOT
  value: {{ .Values.objectStore.bundles }}
- name: TAXON_CONTROLLER_RUNTIME
  value: {{ include "taxon.runtimeName" . }}
- name: TAXON_CONTROLLER_DOMAIN
  value: {{ .Values.gateway.domain | quote }}
{{- with .Values.gateway.name }}
- name: TAXON_CONTROLLER_GATEWAY
  value: {{ . | quote }}
{{- end }}
{{- with .Values.gateway.listener }}
- name: TAXON_CONTROLLER_GATEWAY_LISTENER
  value: {{ . | quote }}
{{- end }}
{{- with .Values.gateway.url }}
- name: TAXON_CONTROLLER_GATEWAY_URL
  value: {{ . | quote }}
{{- end }}
{{- if or .Values.objectStore.evaluation .Values.objectStore.writeSecretName }}
- name: TAXON_CONTROLLER_CLEANUP_SECRET
  value: taxon-s3-cleanup
{{- end }}
{{- if include "taxon.database" . }}
- name: TAXON_CONTROLLER_MONITOR_URL
  value: {{ printf "http://%s-monitor.%s.svc:8082" .Release.Name .Release.Namespace }}
{{- end }}
{{- if eq .Values.controller.scope "Namespaces" }}
- name: TAXON_CONTROLLER_WATCH_NAMESPACES
  value: {{ join "," .Values.modelNamespaces | quote }}
{{- end }}
{{- with .Values.controller.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* For objects that outlive the release: neither Helm nor Argo CD removes them. */}}
{{- define "taxon.kept" -}}
helm.sh/resource-policy: keep
argocd.argoproj.io/sync-options: Prune=false
{{- end }}

{{/* Name of the ClusterServingRuntime, with a digest of its content: a version keeps its runtime, so
an upgrade creates another and does not restart servers. */}}
{{- define "taxon.runtimeName" -}}
{{- $digest := include "taxon.runtimeSpec" . | sha256sum | trunc 8 -}}
{{ printf "%s-%s-%s" .Release.Name .Chart.AppVersion $digest }}
{{- end }}

{{/* Spec of the ClusterServingRuntime. The controller sets resources, log mode and database for each model; KServe
copies an InferenceService's labels and annotations to its pods. */}}
{{- define "taxon.runtimeSpec" -}}
supportedModelFormats:
- {name: taxon, version: "1"}
protocolVersions: [v2]
containers:
- name: kserve-container
  image: {{ include "taxon.image" (list . "model-server") }}
  imagePullPolicy: {{ .Values.image.pullPolicy }}
  env:
  - {name: TAXON_SERVER_BUNDLE, value: /mnt/models}
  - name: TAXON_SERVER_DIGEST
    valueFrom: {fieldRef: {fieldPath: "metadata.annotations['taxon.dev/manifest-digest']"}}
  - name: TAXON_SERVER_NAME
    valueFrom: {fieldRef: {fieldPath: "metadata.labels['taxon.dev/model']"}}
  - name: TAXON_SERVER_VERSION
    valueFrom: {fieldRef: {fieldPath: "metadata.labels['taxon.dev/version']"}}
  - name: TAXON_SERVER_NAMESPACE
    valueFrom: {fieldRef: {fieldPath: metadata.namespace}}
  - {name: TAXON_SERVER_HOST, value: "::"}
  - {name: TAXON_SERVER_PORT, value: "8080"}
  {{- include "taxon.httpEnv" .Values.serving.http | nindent 2 }}
  ports:
  - {name: http, containerPort: 8080, protocol: TCP}
  startupProbe:
    httpGet: {path: /v2/health/live, port: http}
    periodSeconds: 1
    failureThreshold: 60
  livenessProbe:
    httpGet: {path: /v2/health/live, port: http}
    periodSeconds: 10
    timeoutSeconds: 5
  readinessProbe: # a server that hangs gets no more requests after at most three seconds
    httpGet: {path: /v2/health/ready, port: http}
    periodSeconds: 1
    timeoutSeconds: 1
    failureThreshold: 2
  resources:
    requests: {cpu: 100m, memory: 256Mi}
    limits: {cpu: "1", memory: 1Gi}
  securityContext: {{- include "taxon.securityContext" . | nindent 4 }}
  terminationMessagePolicy: FallbackToLogsOnError
  volumeMounts:
  - {name: tmp, mountPath: /tmp} # holds the spool of the prediction log
volumes:
- name: tmp
  emptyDir: {sizeLimit: 512Mi}
{{- end }}

{{/* Defaults of every server; the settings of a model come after these and override them. */}}
{{- define "taxon.httpEnv" -}}
- {name: TAXON_SERVER_ACCESS_LOG, value: {{ .accessLog | quote }}}
- {name: TAXON_SERVER_MAX_BODY_BYTES, value: {{ .maxBodyBytes | int64 | quote }}}
- {name: TAXON_SERVER_MAX_ROWS, value: {{ .maxRows | int64 | quote }}}
{{- with .corsOrigins }}
- {name: TAXON_SERVER_CORS_ORIGINS, value: {{ join "," . | quote }}}
{{- end }}
{{- with .rateLimit }}
- {name: TAXON_SERVER_RATE_LIMIT, value: {{ . | quote }}}
{{- end }}
{{- with .trustedProxies }}
- {name: TAXON_SERVER_TRUSTED_PROXIES, value: {{ join "," . | quote }}}
{{- end }}
{{- end }}

{{/* Whether to render the retry policy. */}}
{{- define "taxon.retries" -}}
{{- $known := .Capabilities.APIVersions.Has "gateway.envoyproxy.io/v1alpha1/BackendTrafficPolicy" }}
{{- $wanted := .Values.gateway.retries }}
{{- if and .Values.gateway.name (or (eq $wanted "EnvoyGateway") (and (eq $wanted "Auto") $known)) }}true{{ end }}
{{- end }}

{{/* The port of gateway.url. */}}
{{- define "taxon.gatewayPort" -}}
{{- $url := urlParse .Values.gateway.url -}}
{{ regexFind ":[0-9]+$" $url.host | trimPrefix ":" | default (eq $url.scheme "https" | ternary "443" "80") }}
{{- end }}

{{/* The bucket in s3://bucket/prefix. */}}
{{- define "taxon.bucket" -}}
{{- .Values.objectStore.bundles | trimPrefix "s3://" | splitList "/" | first -}}
{{- end }}

{{/* Key of the object store's configuration, with a digest of its content: the store's pod restarts
when it changes, after the credentials Job has written it. */}}
{{- define "taxon.s3Configuration" -}}
{{- $content := list .Values.objectStore.bundles (sortAlpha .Values.modelNamespaces) (include "taxon.image" (list . "controller")) -}}
{{ printf "s3-%s.json" ($content | toJson | sha256sum | trunc 8) }}
{{- end }}

{{- define "taxon.objectStoreURL" -}}
{{ printf "http://%s-object-store.%s.svc:8333" .Release.Name .Release.Namespace }}
{{- end }}

{{/* Destinations of several policies: name servers, and the API server, which is not a pod. */}}
{{- define "taxon.egressNames" -}}
- ports:
  - {protocol: UDP, port: 53}
  - {protocol: TCP, port: 53}
{{- end }}

{{- define "taxon.egressAPI" -}}
- ports:
  - {protocol: TCP, port: 443}
  - {protocol: TCP, port: 6443}
{{- end }}

{{/* A part of this release, in its own namespace; call with (list $ "component"). */}}
{{- define "taxon.ownPeer" -}}
{{- $root := first . -}}
- namespaceSelector:
    matchLabels: {kubernetes.io/metadata.name: {{ $root.Release.Namespace | quote }}}
  podSelector:
    matchLabels: {{- include "taxon.selectorLabels" . | nindent 6 }}
{{- end }}

{{/* Destinations outside Taxon; call with a list of {cidr, port}. */}}
{{- define "taxon.egressOutside" -}}
{{- range . }}
- to: [{ipBlock: {cidr: {{ .cidr | quote }}}}]
  ports: [{protocol: TCP, port: {{ .port }}}]
{{- end }}
{{- end }}

{{/* The object store: the evaluation's, or your own. */}}
{{- define "taxon.egressObjectStore" -}}
{{- if .Values.objectStore.evaluation }}
- to: {{- include "taxon.ownPeer" (list . "object-store") | nindent 2 }}
  ports:
  - {protocol: TCP, port: 8333}
{{- else }}
{{- include "taxon.egressOutside" .Values.networkPolicies.egress.objectStore }}
{{- end }}
{{- end }}

{{/* The database: the evaluation's, or your own. */}}
{{- define "taxon.egressDatabase" -}}
{{- if .Values.database.evaluation }}
- to: {{- include "taxon.ownPeer" (list . "postgres") | nindent 2 }}
  ports:
  - {protocol: TCP, port: 5432}
{{- else }}
{{- include "taxon.egressOutside" .Values.networkPolicies.egress.database }}
{{- end }}
{{- end }}

{{/* Refuses a cluster that lacks a kind; call with (list $ "group/version" "Kind" "remedy"). Only a
cluster's API versions contain v1/Pod: rendering without a cluster refuses nothing. */}}
{{- define "taxon.require" -}}
{{- $known := (first .).Capabilities.APIVersions }}
{{- if and ($known.Has "v1/Pod") (not ($known.Has (printf "%s/%s" (index . 1) (index . 2)))) }}
{{- fail (printf "this cluster has no %s (%s): %s" (index . 2) (index . 1) (index . 3)) }}
{{- end }}
{{- end }}
