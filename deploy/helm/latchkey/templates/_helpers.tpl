{{- define "latchkey.roles" -}}
gateway: {values: gateway, command: gateway}
auth-worker: {values: authWorker, command: auth-worker}
token-worker: {values: tokenWorker, command: token-worker}
{{- end }}

{{- define "latchkey.selector" -}}
app.kubernetes.io/name: {{ .root.Chart.Name }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{- define "latchkey.labels" -}}
{{ include "latchkey.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ .root.Chart.Name }}-{{ .root.Chart.Version }}
{{- end }}

{{- define "latchkey.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}

{{- define "latchkey.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "latchkey.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}

{{- define "latchkey.environment" -}}
- {name: LATCHKEY_PUBLIC_URL, value: {{ .Values.publicUrl | quote }}}
- {name: LATCHKEY_SECRETS_DIR, value: /run/secrets/latchkey}
- {name: LATCHKEY_KEYS_DIR, value: /run/secrets/latchkey}
- {name: LATCHKEY_CONFIG, value: /etc/latchkey/latchkey.toml}
- {name: LATCHKEY_LOG_FORMAT, value: json}
{{- range $name, $value := .Values.settings }}
- {name: {{ $name }}, value: {{ $value | quote }}}
{{- end }}
{{- end }}
