{{- define "netdiag.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
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
{{- /* The port of settings.health; empty where that is none. */ -}}
{{- define "netdiag.healthPort" -}}
{{- $address := dig "health" ":8080" (.Values.settings | default dict) -}}
{{- if and $address (ne $address "none") -}}
{{ $address | splitList ":" | last }}
{{- end -}}
{{- end }}
{{- /* The kinds of change that the executor may make, as it names them; empty where all are off. */ -}}
{{- define "netdiag.kinds" -}}
{{- $kinds := list -}}
{{- range $key, $names := dict "addonConfig" (list "AddonConfig") "daemonSetEnv" (list "DaemonSetEnv") "securityGroupRules" (list "AllowIngress" "RevokeIngress") "annotate" (list "Annotate") "deleteInterfaces" (list "DeleteInterfaces") "tag" (list "Tag") "restartPods" (list "RestartPods") "movePods" (list "MovePods" "Cordon") -}}
{{- if index $.Values.fixes.kinds $key -}}{{- $kinds = concat $kinds $names -}}{{- end -}}
{{- end -}}
{{- join "," $kinds -}}
{{- end -}}
