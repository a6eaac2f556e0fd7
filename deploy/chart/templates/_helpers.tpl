{{- define "watchdog.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 52 | trimSuffix "-" -}}
{{- else -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) | trunc 52 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "watchdog.selector" -}}
app.kubernetes.io/name: rollback-watchdog
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "watchdog.labels" -}}
{{ include "watchdog.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}

{{- define "watchdog.account" -}}
{{- default (include "watchdog.fullname" .) .Values.serviceAccount.name -}}
{{- end -}}

{{- define "watchdog.image" -}}
{{- $image := .Values.image -}}
{{- $repository := required "image.repository: there is no public image yet; build one, push it, and say where it is" $image.repository -}}
{{- if $image.digest -}}
{{- printf "%s@%s" $repository $image.digest -}}
{{- else -}}
{{- printf "%s:%s" $repository (default .Chart.AppVersion $image.tag) -}}
{{- end -}}
{{- end -}}

{{/* The section `state` that fits what the chart makes. */}}
{{- define "watchdog.state" -}}
{{- if eq .Values.state "sqlite" -}}
sqlite: /var/lib/watchdog/state.db
{{- else -}}
kubernetes:
  namespace: {{ .Release.Namespace }}
  name: {{ include "watchdog.fullname" . }}
  objects: {{ .Values.objects }}
{{- end -}}
{{- end -}}

{{/* Whoever is bound to the roles. */}}
{{- define "watchdog.subject" -}}
- kind: ServiceAccount
  name: {{ include "watchdog.account" . }}
  namespace: {{ .Release.Namespace }}
{{- end -}}

{{/* The configuration as YAML, from the text where there is one. */}}
{{- define "watchdog.config" -}}
{{- $config := .Values.config -}}
{{- if .Values.configText -}}
{{- $config = fromYaml .Values.configText -}}
{{- if hasKey $config "Error" -}}{{- fail (printf "configText is not YAML: %s" $config.Error) -}}{{- end -}}
{{- if hasKey $config "state" -}}{{- fail "configText: leave `state` out, the chart writes the one that fits (value `state`)" -}}{{- end -}}
{{- end -}}
{{- toYaml $config -}}
{{- end -}}

{{/* The port of the page, where the configuration has one that others can reach; else empty. */}}
{{- define "watchdog.page" -}}
{{- $api := default dict (include "watchdog.config" . | fromYaml).api -}}
{{- if and (not .Values.existingConfigMap) (hasKey $api "page") -}}
{{- $page := default dict $api.page -}}
{{- if not (has (default "127.0.0.1" $page.host) (list "127.0.0.1" "::1" "localhost")) -}}
{{- default 9470 $page.port -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* The rules of a role that lies in files/, with their comments. */}}
{{- define "watchdog.rules" -}}
{{- regexFind "(?s)\nrules:.*" (.context.Files.Get .file) | trim -}}
{{- end -}}

{{/* A role and its binding: name, namespace, rules, context. */}}
{{- define "watchdog.granted" -}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata:
  name: {{ .name }}
  namespace: {{ .namespace }}
  labels: {{- include "watchdog.labels" .context | nindent 4 }}
{{ .rules }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata:
  name: {{ .name }}
  namespace: {{ .namespace }}
  labels: {{- include "watchdog.labels" .context | nindent 4 }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: Role
  name: {{ .name }}
subjects: {{- include "watchdog.subject" .context | nindent 2 }}
{{ end -}}
