{{- define "netdiag.image" -}}
{{ .Values.image.repository }}
{{- if or .Values.image.tag (not .Values.image.digest) }}:{{ .Values.image.tag | default .Chart.AppVersion }}{{ end }}
{{- with .Values.image.digest }}@{{ . }}{{ end }}
{{- end }}
{{- /* Labels of an object of a component: (list $ "serve"). The first two are what pods are selected by, and never change. */ -}}
{{- define "netdiag.labels" -}}
{{ include "netdiag.selector" . }}
{{- with index . 0 }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version | replace "+" "_" }}
{{- end }}
{{- end }}
{{- define "netdiag.selector" -}}
app.kubernetes.io/name: netdiag
app.kubernetes.io/component: {{ index . 1 }}
{{- end }}
{{- /* Labels of the pods of a component. Whoever gives their own can't change what they are selected by. */ -}}
{{- define "netdiag.podLabels" -}}
{{- toYaml (merge (include "netdiag.selector" . | fromYaml) (index . 0).Values.podLabels) }}
{{- end }}
{{- define "netdiag.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
seccompProfile: {type: RuntimeDefault}
{{- end }}
{{- define "netdiag.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}
{{- /* What the specs of all pods have in common. */ -}}
{{- define "netdiag.podSpec" -}}
automountServiceAccountToken: true
enableServiceLinks: false
securityContext: {{- include "netdiag.podSecurity" . | nindent 2 }}
{{- with .Values.image.pullSecrets }}
imagePullSecrets:
{{- range . }}
- name: {{ . }}
{{- end }}
{{- end }}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
{{- /* How the replicas of a component are spread: (list $ "serve"). */ -}}
{{- define "netdiag.spread" -}}
{{- $selector := dict "matchLabels" (include "netdiag.selector" . | fromYaml) -}}
{{- $constraints := (index . 0).Values.topologySpreadConstraints -}}
{{- if not $constraints -}}
{{- range list "topology.kubernetes.io/zone" "kubernetes.io/hostname" -}}
{{- $constraints = append $constraints (dict "topologyKey" . "maxSkew" 1 "whenUnsatisfiable" "ScheduleAnyway" "matchLabelKeys" (list "pod-template-hash")) -}}
{{- end -}}
{{- end -}}
{{- range $constraints }}
- {{ merge (deepCopy .) (dict "labelSelector" $selector) | toYaml | nindent 2 | trim }}
{{- end }}
{{- end }}
{{- define "netdiag.settings" -}}
cluster: {{ required "cluster: the name of the EKS cluster" .Values.cluster }}
region: {{ required "region: the AWS region of the cluster" .Values.region }}
namespace: {{ .Release.Namespace }}
fixes: {{ .Values.fixes.enabled }}
policy:
  team: {{ required "slack.team: the id of the Slack workspace" .Values.slack.team }}
  askers: {{ toJson .Values.slack.askers }}
  approvers: {{ toJson .Values.slack.approvers }}
{{- with .Values.settings }}
{{ toYaml . }}
{{- end }}
{{- end }}
{{- /* Where a component answers health checks, such as :8080; none where it doesn't: (list $ "serve"). */ -}}
{{- define "netdiag.health" -}}
{{- $values := (index . 0).Values -}}
{{- if eq (index . 1) "serve" -}}
{{ dig "health" ":8080" ($values.settings | default dict) }}
{{- else -}}
{{ $values.executor.health }}
{{- end -}}
{{- end }}
{{- /* The port of that; empty where there is none. */ -}}
{{- define "netdiag.healthPort" -}}
{{- $address := include "netdiag.health" . -}}
{{- if ne $address "none" -}}
{{ $address | splitList ":" | last }}
{{- end -}}
{{- end }}
{{- /* Ports and probes of a container. A restart never mends Slack or AWS: liveness asks the process alone. */ -}}
{{- define "netdiag.probes" -}}
{{- with include "netdiag.healthPort" . }}
ports:
- {name: health, containerPort: {{ . }}}
livenessProbe:
  httpGet: {path: /healthz, port: health}
  periodSeconds: 20
  failureThreshold: 3
readinessProbe:
  httpGet: {path: /readyz, port: health}
  periodSeconds: 10
{{- end }}
{{- end }}
{{- /* The kinds of change that the executor may make, as it names them; empty where all are off. */ -}}
{{- define "netdiag.kinds" -}}
{{- $kinds := list -}}
{{- range $key, $names := dict "addonConfig" (list "AddonConfig") "daemonSetEnv" (list "DaemonSetEnv") "securityGroupRules" (list "AllowIngress" "RevokeIngress") "annotate" (list "Annotate") "deleteInterfaces" (list "DeleteInterfaces") "tag" (list "Tag") "restartPods" (list "RestartPods") "movePods" (list "MovePods" "Cordon") -}}
{{- if index $.Values.fixes.kinds $key -}}{{- $kinds = concat $kinds $names -}}{{- end -}}
{{- end -}}
{{- join "," $kinds -}}
{{- end -}}
