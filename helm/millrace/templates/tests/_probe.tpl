{{- /* A job that ends well when the given address answers 200. */ -}}
{{- define "millrace.probeJob" -}}
apiVersion: streaming.millrace.io/v1alpha1
kind: StreamingJob
metadata: {name: probe}
spec:
  tables:
    - {name: answer, key: [value], http: {url: {{ . | quote }}}, format: {text: {}}}
  sources:
    - {name: one, generator: {fields: {i: seq}, count: 1}}
  streams:
    - {name: ready, from: one, steps: [{set: {lines: size(tables.answer)}}]}
  sinks:
    - {name: screen, from: ready, console: {}}
{{ end -}}

{{- /* The pod that runs it until it does. Takes a dict: root, name, weight. */ -}}
{{- define "millrace.probePod" -}}
apiVersion: v1
kind: Pod
metadata:
  name: {{ include "millrace.fullname" .root }}-{{ .name }}
  namespace: {{ .root.Release.Namespace }}
  labels:
    {{- include "millrace.sharedLabels" .root | nindent 4 }}
    app.kubernetes.io/name: {{ include "millrace.name" .root }}
    app.kubernetes.io/instance: {{ .root.Release.Name }}
    app.kubernetes.io/component: test
  annotations:
    helm.sh/hook: test
    helm.sh/hook-weight: {{ .weight | quote }}
    helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
spec:
  restartPolicy: OnFailure
  activeDeadlineSeconds: {{ .root.Values.tests.deadlineSeconds }}
  automountServiceAccountToken: false
  enableServiceLinks: false
  {{- with .root.Values.imagePullSecrets }}
  imagePullSecrets:
    {{- range . }}
    - name: {{ . | quote }}
    {{- end }}
  {{- end }}
  securityContext: {{- include "millrace.podSecurity" .root | nindent 4 }}
  containers:
    - name: probe
      image: {{ include "millrace.image" .root | quote }}
      imagePullPolicy: {{ .root.Values.image.pullPolicy }}
      command: ["millrace", "run", "/etc/millrace/job.yaml"]
      resources:
        requests: {cpu: 50m, memory: 64Mi}
        limits: {memory: 256Mi}
      securityContext: {{- include "millrace.containerSecurity" .root | nindent 8 }}
      volumeMounts:
        - {name: job, mountPath: /etc/millrace, readOnly: true}
        - {name: tmp, mountPath: /tmp}
  volumes:
    - name: job
      configMap:
        name: {{ include "millrace.fullname" .root }}-{{ .name }}
    - name: tmp
      emptyDir: {sizeLimit: 16Mi}
{{ end -}}
