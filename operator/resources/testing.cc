#include "operator/resources/testing.h"

#include "crds/api/codec.h"
#include "crds/base/status.h"

namespace millrace::controller {
namespace {

constexpr std::string_view kSmall = R"yaml(
apiVersion: streaming.millrace.io/v1alpha1
kind: StreamingJob
metadata: {name: word-count, namespace: demo, uid: 7d1c}
spec:
  workers: 2
  state: {redis: {addresses: ["redis:6379"]}}
  sources:
  - name: lines
    kafka: {brokers: ["kafka:9092"], topics: [lines]}
    format: {text: {}}
  sinks:
  - name: out
    from: lines
    kafka: {brokers: ["kafka:9092"], topic: counts}
    format: {json: {}}
)yaml";

constexpr std::string_view kFull = R"yaml(
apiVersion: streaming.millrace.io/v1alpha1
kind: StreamingJob
metadata: {name: payments, namespace: bank, uid: 93ab, generation: 4, labels: {team: risk}}
spec:
  workers: 3
  batchInterval: 500ms
  state:
    redis: {addresses: ["r0:6379", "r1:6379"], mode: Cluster, auth: {secretName: redis-login}, tls: {secretName: redis-tls}}
  sources:
  - name: transfers
    kafka:
      brokers: ["kafka:9093"]
      topics: [transfers]
      tls: {secretName: kafka-tls}
      sasl: {mechanism: ScramSha512, secretName: kafka-login}
    format: {json: {schema: {account: string, amount: double}}}
  tables:
  - name: limits
    key: [account]
    file: {configMapKeyRef: {name: limits, key: limits.csv}}
    format: {csv: {header: true, schema: {account: string, most: double}}}
  sinks:
  - name: out
    from: transfers
    kafka: {brokers: ["kafka:9093"], topic: checked, tls: {secretName: kafka-tls}, sasl: {mechanism: ScramSha512, secretName: kafka-login}}
    format: {json: {}}
  image: registry.bank/millrace:1.4
  imagePullPolicy: Always
  imagePullSecrets: [registry]
  resources: {requests: {cpu: "2", memory: 4Gi}, limits: {memory: 4Gi}}
  pod:
    labels: {team: risk}
    annotations: {bank.example/cost: "42"}
    nodeSelector: {pool: streams}
    tolerations: [{key: streams, operator: Exists, effect: NoSchedule}]
    priorityClassName: important
    serviceAccountName: payments
    terminationGracePeriod: 90s
    topologySpread: Zone
    env: [{name: TZ, value: UTC}]
    volumes:
    - {name: rules, mountPath: /rules, readOnly: true, secret: {secretName: rules}}
    - {name: out, mountPath: /data, persistentVolumeClaim: {claimName: results}}
    - {name: scratch, mountPath: /scratch, emptyDir: {sizeLimit: 2Gi}}
  disruptionBudget: {maxUnavailable: 2}
  metrics: {port: 9100, podMonitor: true}
  upgrade: {mode: Stateless}
)yaml";

api::StreamingJob Parse(std::string_view text) {
  const api::JobDocument document = api::ParseJob(text);
  for (const api::Diagnostic& diagnostic : document.diagnostics) {
    CHECK(
        diagnostic.warning ||
        (fprintf(stderr, "%s: %s\n", diagnostic.path.c_str(), diagnostic.message.c_str()), false));
  }
  return document.job;
}

}  // namespace

api::StreamingJob SmallJob() { return Parse(kSmall); }
api::StreamingJob FullJob() { return Parse(kFull); }

}  // namespace millrace::controller
