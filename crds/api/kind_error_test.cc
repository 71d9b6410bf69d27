#include <gtest/gtest.h>

#include "crds/api/job_text.h"

namespace millrace::api {
namespace {

// Names, addresses, properties and secrets that are refused before anything connects.
const std::vector<BadJob> kCases{
    {"B26 bad regular expression",
     WithSource("stdin: {}\nformat: {regex: {pattern: '(?P<a', schema: {a: string}}}"),
     {"job.yaml:9:34: spec.sources[0].format.regex.pattern: not a regular expression (RE2): "
      "invalid named capture group: (?P<a"}},
    {"B27 name Upper",
     Whole("apiVersion: streaming.millrace.io/v1alpha1\nkind: StreamingJob\nmetadata: {name: "
           "Upper}\nspec:\n  sources: [{name: lines, stdin: {}, format: {text: {}}}]\n  sinks: "
           "[{name: out, from: lines, console: {}}]\n"),
     {"job.yaml:3:18: metadata.name: \"Upper\" is not a DNS-1123 label; use lower-case letters, "
      "digits and - between them, at most 63 characters"}},
    {"B27 name a/b",
     Whole("apiVersion: streaming.millrace.io/v1alpha1\nkind: StreamingJob\nmetadata: {name: "
           "a/b}\nspec:\n  sources: [{name: lines, stdin: {}, format: {text: {}}}]\n  sinks: "
           "[{name: out, from: lines, console: {}}]\n"),
     {"job.yaml:3:18: metadata.name: \"a/b\" is not a DNS-1123 label; use lower-case letters, "
      "digits and - between them, at most 63 characters"}},
    {"B27 name ..",
     Whole("apiVersion: streaming.millrace.io/v1alpha1\nkind: StreamingJob\nmetadata: {name: "
           "..}\nspec:\n  sources: [{name: lines, stdin: {}, format: {text: {}}}]\n  sinks: "
           "[{name: out, from: lines, console: {}}]\n"),
     {"job.yaml:3:18: metadata.name: \"..\" is not a DNS-1123 label; use lower-case letters, "
      "digits and - between them, at most 63 characters"}},
    {"B27 name ''",
     Whole("apiVersion: streaming.millrace.io/v1alpha1\nkind: StreamingJob\nmetadata: {name: "
           "''}\nspec:\n  sources: [{name: lines, stdin: {}, format: {text: {}}}]\n  sinks: "
           "[{name: out, from: lines, console: {}}]\n"),
     {"job.yaml:3:19: metadata.name: \"\" is not a DNS-1123 label; use lower-case letters, digits "
      "and - between them, at most 63 characters"}},
    {"B27 name of 64 characters",
     Whole("apiVersion: streaming.millrace.io/v1alpha1\nkind: StreamingJob\nmetadata: {name: "
           "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx}\nspec:\n  sources: "
           "[{name: lines, stdin: {}, format: {text: {}}}]\n  sinks: [{name: out, from: lines, "
           "console: {}}]\n"),
     {"job.yaml:3:18: metadata.name: "
      "\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\" is not a DNS-1123 "
      "label; use lower-case letters, digits and - between them, at most 63 characters"}},
    {"B29 topic ..",
     WithSource("kafka: {brokers: [\"k:1\"], topics: [\"..\"]}\nformat: {text: {}}"),
     {"job.yaml:8:43: spec.sources[0].kafka.topics[0]: \"..\" is not a Kafka topic; use letters, "
      "digits, ., _ and -, at most 249 characters"}},
    {"B29 topic a/b",
     WithSource("kafka: {brokers: [\"k:1\"], topics: [\"a/b\"]}\nformat: {text: {}}"),
     {"job.yaml:8:43: spec.sources[0].kafka.topics[0]: \"a/b\" is not a Kafka topic; use letters, "
      "digits, ., _ and -, at most 249 characters"}},
    {"B29 topic a b",
     WithSource("kafka: {brokers: [\"k:1\"], topics: [\"a b\"]}\nformat: {text: {}}"),
     {"job.yaml:8:43: spec.sources[0].kafka.topics[0]: \"a b\" is not a Kafka topic; use letters, "
      "digits, ., _ and -, at most 249 characters"}},
    {"B29 topic of 250 characters",
     WithSource("kafka: {brokers: [\"k:1\"], topics: "
                "[\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
                "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
                "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
                "xxxxxxx\"]}\nformat: {text: {}}"),
     {"job.yaml:8:43: spec.sources[0].kafka.topics[0]: "
      "\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx...\" is not "
      "a Kafka topic; use letters, digits, ., _ and -, at most 249 characters"}},
    {"B29 topic ''",
     WithSource("kafka: {brokers: [\"k:1\"], topics: [\"\"]}\nformat: {text: {}}"),
     {"job.yaml:8:43: spec.sources[0].kafka.topics[0]: \"\" is not a Kafka topic; use letters, "
      "digits, ., _ and -, at most 249 characters"}},
    {"B30 broker ''",
     WithSource("kafka: {brokers: [\"\"], topics: [t]}\nformat: {text: {}}"),
     {"job.yaml:8:26: spec.sources[0].kafka.brokers[0]: \"\" has no port; use host:port, for "
      "example kafka:9092 or [::1]:9092"}},
    {"B30 broker 'kafka'",
     WithSource("kafka: {brokers: [\"kafka\"], topics: [t]}\nformat: {text: {}}"),
     {"job.yaml:8:26: spec.sources[0].kafka.brokers[0]: \"kafka\" has no port; use host:port, for "
      "example kafka:9092 or [::1]:9092"}},
    {"B30 broker 'kafka:0'",
     WithSource("kafka: {brokers: [\"kafka:0\"], topics: [t]}\nformat: {text: {}}"),
     {"job.yaml:8:26: spec.sources[0].kafka.brokers[0]: \"kafka:0\" has a port outside 1 to 65535; "
      "use host:port, for example kafka:9092 or [::1]:9092"}},
    {"B30 broker 'kafka:70000'",
     WithSource("kafka: {brokers: [\"kafka:70000\"], topics: [t]}\nformat: {text: {}}"),
     {"job.yaml:8:26: spec.sources[0].kafka.brokers[0]: \"kafka:70000\" has a port outside 1 to "
      "65535; use host:port, for example kafka:9092 or [::1]:9092"}},
    {"B30 broker 'http://x:1'",
     WithSource("kafka: {brokers: [\"http://x:1\"], topics: [t]}\nformat: {text: {}}"),
     {"job.yaml:8:26: spec.sources[0].kafka.brokers[0]: \"http://x:1\" is a URL, not an address; "
      "use host:port, for example kafka:9092 or [::1]:9092"}},
    {"B30 broker '::1:9092'",
     WithSource("kafka: {brokers: [\"::1:9092\"], topics: [t]}\nformat: {text: {}}"),
     {"job.yaml:8:26: spec.sources[0].kafka.brokers[0]: \"::1:9092\" has no valid host; use "
      "host:port, for example kafka:9092 or [::1]:9092"}},
    {"B30 100 brokers",
     WithSource(
         "kafka: {brokers: [\"k0:1\", \"k1:1\", \"k2:1\", \"k3:1\", \"k4:1\", \"k5:1\", \"k6:1\", "
         "\"k7:1\", \"k8:1\", \"k9:1\", \"k10:1\", \"k11:1\", \"k12:1\", \"k13:1\", \"k14:1\", "
         "\"k15:1\", \"k16:1\", \"k17:1\", \"k18:1\", \"k19:1\", \"k20:1\", \"k21:1\", \"k22:1\", "
         "\"k23:1\", \"k24:1\", \"k25:1\", \"k26:1\", \"k27:1\", \"k28:1\", \"k29:1\", \"k30:1\", "
         "\"k31:1\", \"k32:1\", \"k33:1\", \"k34:1\", \"k35:1\", \"k36:1\", \"k37:1\", \"k38:1\", "
         "\"k39:1\", \"k40:1\", \"k41:1\", \"k42:1\", \"k43:1\", \"k44:1\", \"k45:1\", \"k46:1\", "
         "\"k47:1\", \"k48:1\", \"k49:1\", \"k50:1\", \"k51:1\", \"k52:1\", \"k53:1\", \"k54:1\", "
         "\"k55:1\", \"k56:1\", \"k57:1\", \"k58:1\", \"k59:1\", \"k60:1\", \"k61:1\", \"k62:1\", "
         "\"k63:1\", \"k64:1\", \"k65:1\", \"k66:1\", \"k67:1\", \"k68:1\", \"k69:1\", \"k70:1\", "
         "\"k71:1\", \"k72:1\", \"k73:1\", \"k74:1\", \"k75:1\", \"k76:1\", \"k77:1\", \"k78:1\", "
         "\"k79:1\", \"k80:1\", \"k81:1\", \"k82:1\", \"k83:1\", \"k84:1\", \"k85:1\", \"k86:1\", "
         "\"k87:1\", \"k88:1\", \"k89:1\", \"k90:1\", \"k91:1\", \"k92:1\", \"k93:1\", \"k94:1\", "
         "\"k95:1\", \"k96:1\", \"k97:1\", \"k98:1\", \"k99:1\"], topics: [t]}\nformat: {text: "
         "{}}"),
     {"job.yaml:8:24: spec.sources[0].kafka.brokers: expected at most 64 items, found 100"}},
    {"B31 plugin.library.paths",
     WithSink("kafka: {brokers: [\"k:1\"], topic: t, properties: {plugin.library.paths: "
              "\"1\"}}\nformat: {text: {}}"),
     {"job.yaml:9:56: spec.sinks[0].kafka.properties.plugin.library.paths: the Kafka property "
      "\"plugin.library.paths\" is not allowed: only tuning properties are, such as "
      "fetch.min.bytes or linger.ms"}},
    {"B31 sasl.kerberos.kinit.cmd",
     WithSink("kafka: {brokers: [\"k:1\"], topic: t, properties: {sasl.kerberos.kinit.cmd: "
              "\"1\"}}\nformat: {text: {}}"),
     {"job.yaml:9:56: spec.sinks[0].kafka.properties.sasl.kerberos.kinit.cmd: the Kafka property "
      "\"sasl.kerberos.kinit.cmd\" is not allowed: only tuning properties are, such as "
      "fetch.min.bytes or linger.ms"}},
    {"B31 ssl.engine.location",
     WithSink("kafka: {brokers: [\"k:1\"], topic: t, properties: {ssl.engine.location: "
              "\"1\"}}\nformat: {text: {}}"),
     {"job.yaml:9:56: spec.sinks[0].kafka.properties.ssl.engine.location: the Kafka property "
      "\"ssl.engine.location\" is not allowed: only tuning properties are, such as fetch.min.bytes "
      "or linger.ms"}},
    {"B31 test.mock.num.brokers",
     WithSink("kafka: {brokers: [\"k:1\"], topic: t, properties: {test.mock.num.brokers: "
              "\"1\"}}\nformat: {text: {}}"),
     {"job.yaml:9:56: spec.sinks[0].kafka.properties.test.mock.num.brokers: the Kafka property "
      "\"test.mock.num.brokers\" is not allowed: only tuning properties are, such as "
      "fetch.min.bytes or linger.ms"}},
    {"B32 acks",
     WithSink(
         "kafka: {brokers: [\"k:1\"], topic: t, properties: {acks: \"1\"}}\nformat: {text: {}}"),
     {"job.yaml:9:56: spec.sinks[0].kafka.properties.acks: the Kafka property \"acks\" cannot be "
      "set here: the sink's delivery decides it"}},
    {"B31 fetch.min.byte",
     WithSink("kafka: {brokers: [\"k:1\"], topic: t, properties: {fetch.min.byte: \"1\"}}\nformat: "
              "{text: {}}"),
     {"job.yaml:9:56: spec.sinks[0].kafka.properties.fetch.min.byte: the Kafka property "
      "\"fetch.min.byte\" is not allowed; did you mean \"fetch.min.bytes\"?"}},
    {"B33 exactly once on a terminal",
     WithSink("console: {}\ndelivery: ExactlyOnce"),
     {"job.yaml:10:17: spec.sinks[0].delivery: a terminal cannot take rows back, so console is "
      "AtLeastOnce; remove it"}},
    {"B34 transaction shorter than a batch",
     WithSink(
         "kafka: {brokers: [\"k:1\"], topic: t, transactionTimeout: 500ms}\nformat: {text: {}}"),
     {"job.yaml:9:63: spec.sinks[0].kafka.transactionTimeout: must be longer than batchInterval "
      "(1s), found 500ms"}},
    {"B35 image repo/image:latest",
     Spec("  image: repo/image:latest"),
     {"job.yaml:7:10: spec.image: the tag latest changes under a running job; name a version or "
      "digest"}},
    {"B35 image a b",
     Spec("  image: a b"),
     {"job.yaml:7:10: spec.image: \"a b\" is not an image name; use registry/name:tag"}},
    {"B35 image a;rm",
     Spec("  image: a;rm"),
     {"job.yaml:7:10: spec.image: \"a;rm\" is not an image name; use registry/name:tag"}},
    {"B36 privileged: true",
     Spec("  pod: {privileged: true}"),
     {"job.yaml:7:9: spec.pod.privileged: unknown field \"privileged\"; known: labels, "
      "annotations, nodeSelector, tolerations, priorityClassName, serviceAccountName, "
      "terminationGracePeriod, topologySpread, env, volumes"}},
    {"B36 hostNetwork: true",
     Spec("  pod: {hostNetwork: true}"),
     {"job.yaml:7:9: spec.pod.hostNetwork: unknown field \"hostNetwork\"; known: labels, "
      "annotations, nodeSelector, tolerations, priorityClassName, serviceAccountName, "
      "terminationGracePeriod, topologySpread, env, volumes"}},
    {"B36 containers: []",
     Spec("  pod: {containers: []}"),
     {"job.yaml:7:9: spec.pod.containers: unknown field \"containers\"; known: labels, "
      "annotations, nodeSelector, tolerations, priorityClassName, serviceAccountName, "
      "terminationGracePeriod, topologySpread, env, volumes"}},
    {"B36 securityContext: {}",
     Spec("  pod: {securityContext: {}}"),
     {"job.yaml:7:9: spec.pod.securityContext: unknown field \"securityContext\"; known: labels, "
      "annotations, nodeSelector, tolerations, priorityClassName, serviceAccountName, "
      "terminationGracePeriod, topologySpread, env, volumes"}},
    {"B36 hostPath",
     Spec("  pod: {volumes: [{name: v, mountPath: /v, hostPath: {path: /}}]}"),
     {"job.yaml:7:19: spec.pod.volumes[0]: expected exactly one of persistentVolumeClaim, "
      "configMap, secret, emptyDir; found none",
      "job.yaml:7:44: spec.pod.volumes[0].hostPath: unknown field \"hostPath\"; known: name, "
      "mountPath, readOnly, persistentVolumeClaim, configMap, secret, emptyDir"}},
    {"B37 Secret of another namespace",
     WithSource("http: {port: 8080, auth: {secretName: s, namespace: other}}\nformat: {text: {}}"),
     {"job.yaml:8:48: spec.sources[0].http.auth.namespace: unknown field \"namespace\": a Secret "
      "is always one of the job's own namespace"}},
    {"B39 password in the job",
     WithSource("http: {port: 8080, auth: {secretName: s, password: hunter2}}\nformat: {text: {}}"),
     {"job.yaml:8:48: spec.sources[0].http.auth.password: unknown field \"password\": secrets are "
      "never written into a job; put it into a Secret and name that with secretName"}},
    {"B41 cpu lots",
     Spec("  resources: {requests: {cpu: lots}}"),
     {"job.yaml:7:31: spec.resources.requests.cpu: \"lots\" is not a quantity; use for example "
      "500m, 2, 64Mi or 1G"}},
    {"B41 limit below request",
     Spec("  resources: {requests: {memory: 2Gi}, limits: {memory: 1Gi}}"),
     {"job.yaml:7:57: spec.resources.limits.memory: the limit 1Gi is below the request 2Gi"}},
    {"B44 path that leaves",
     WithSource("file: {path: ../../etc/passwd}\nformat: {text: {}}"),
     {"job.yaml:8:20: spec.sources[0].file.path: \"../../etc/passwd\" leaves its folder with "
      "\"..\"; write the path without it"}},
    {"B44 device",
     WithSource("file: {path: /dev/zero}\nformat: {text: {}}"),
     {"job.yaml:8:20: spec.sources[0].file.path: \"/dev/zero\" is no place for data; use a regular "
      "folder or a mounted volume"}},
    {"B45 file URL",
     WithSink("http: {url: \"file:///etc/passwd\"}\nformat: {json: {}}"),
     {"job.yaml:9:20: spec.sinks[0].http.url: \"file:///etc/passwd\" is not a URL for this field; "
      "use for example https://host:8080/path"}},
    {"B45 metadata service",
     WithSink("http: {url: \"http://169.254.169.254/latest\"}\nformat: {json: {}}"),
     {"job.yaml:9:20: spec.sinks[0].http.url: \"169.254.169.254\" is where clouds serve metadata "
      "and "
      "credentials; a job must not talk to it"}},
    {"B45 credentials in a URL",
     WithSink("http: {url: \"http://me:hunter2@host/\"}\nformat: {json: {}}"),
     {"job.yaml:9:20: spec.sinks[0].http.url: the URL holds credentials; put them into a Secret "
      "and name it with auth: {secretName: ...}"}},
    {"B27 name of 254 characters",
     Whole("apiVersion: streaming.millrace.io/v1alpha1\nkind: StreamingJob\nmetadata: {name: " +
           std::string(254, 'x') + "}\nspec:\n" + kSourceLine + kSinkLine),
     {"job.yaml:3:18: metadata.name: \"" + std::string(77, 'x') +
      "...\" is not a DNS-1123 label; use lower-case letters, digits and - between them, at most "
      "63 characters"}},
    {"B29 topic .",
     WithSource("kafka: {brokers: [\"k:1\"], topics: [\".\"]}\nformat: {text: {}}"),
     {"job.yaml:8:43: spec.sources[0].kafka.topics[0]: \".\" is not a Kafka topic; use letters, "
      "digits, ., _ and -, at most 249 characters"}},
    {"B29 topic orders-.*",
     WithSource("kafka: {brokers: [\"k:1\"], topics: [\"orders-.*\"]}\nformat: {text: {}}"),
     {"job.yaml:8:43: spec.sources[0].kafka.topics[0]: \"orders-.*\" is not a Kafka topic; use "
      "letters, digits, ., _ and -, at most 249 characters"}},
    {"B29 no topic",
     WithSource("kafka: {brokers: [\"k:1\"], topics: []}\nformat: {text: {}}"),
     {"job.yaml:8:41: spec.sources[0].kafka.topics: expected at least 1 item, found 0"}},
    {"B29 bad topicPattern",
     WithSource("kafka: {brokers: [\"k:1\"], topicPattern: '(a'}\nformat: {text: {}}"),
     {"job.yaml:8:48: spec.sources[0].kafka.topicPattern: not a regular expression (RE2): missing "
      "): (a"}},
    {"B30 no broker",
     WithSource("kafka: {brokers: [], topics: [t]}\nformat: {text: {}}"),
     {"job.yaml:8:24: spec.sources[0].kafka.brokers: expected at least 1 item, found 0"}},
    {"B30 broker with credentials",
     WithSource("kafka: {brokers: [\"me:hunter2@k:1\"], topics: [t]}\nformat: {text: {}}"),
     {"job.yaml:8:26: spec.sources[0].kafka.brokers[0]: the address holds credentials; put them "
      "into a Secret"}},
    {"B30 IPv6 in brackets",
     WithSource("kafka: {brokers: [\"[::1]:9092\"], topics: [t]}\nformat: {text: {}}"),
     {}},
    {"B33 neither delivery",
     WithSink("http: {url: \"http://h/\"}\nformat: {json: {}}\ndelivery: Once"),
     {"job.yaml:11:17: spec.sinks[0].delivery: expected ExactlyOnce or AtLeastOnce, found "
      "\"Once\""}},
    {"B34 transaction as long as a batch",
     WithSink("kafka: {brokers: [\"k:1\"], topic: t, transactionTimeout: 1s}\nformat: {text: {}}"),
     {"job.yaml:9:63: spec.sinks[0].kafka.transactionTimeout: must be longer than batchInterval "
      "(1s), found 1s"}},
    {"B39 password among the properties",
     WithSource("kafka: {brokers: [\"k:1\"], topics: [t], properties: {sasl.password: "
                "hunter2}}\nformat: {text: {}}"),
     {"job.yaml:8:59: spec.sources[0].kafka.properties.sasl.password: the Kafka property "
      "\"sasl.password\" cannot be set here: use sasl: {secretName: ...}"}},
    {"B39 password in an address",
     WithSink("redis: {address: \"me:hunter2@r:1\", keyExpr: value}"),
     {"job.yaml:9:25: spec.sinks[0].redis.address: the address holds credentials; put them into a "
      "Secret"}},
    {"B39 password of a host",
     WithSource("socket: {host: \"me:hunter2@h\", port: 1}\nformat: {text: {}}"),
     {"job.yaml:8:23: spec.sources[0].socket.host: the address holds credentials; put them into a "
      "Secret"}},
    {"B41 negative memory",
     Spec("  resources: {requests: {memory: -1Gi}}"),
     {"job.yaml:7:34: spec.resources.requests.memory: \"-1Gi\" is not a quantity; use for example "
      "500m, 2, 64Mi or 1G"}},
    {"B41 empty memory",
     Spec("  resources: {requests: {memory: \"\"}}"),
     {"job.yaml:7:35: spec.resources.requests.memory: \"\" is not a quantity; use for example "
      "500m, 2, 64Mi or 1G"}},
    {"B45 [fd00:ec2::254]",
     WithSink("http: {url: \"http://[fd00:ec2::254]/\"}\nformat: {json: {}}"),
     {"job.yaml:9:20: spec.sinks[0].http.url: \"[fd00:ec2::254]\" is where clouds serve metadata "
      "and credentials; a job must not talk to it"}},
    {"B45 metadata.google.internal",
     WithSink("http: {url: \"http://metadata.google.internal/\"}\nformat: {json: {}}"),
     {"job.yaml:9:20: spec.sinks[0].http.url: \"metadata.google.internal\" is where clouds serve "
      "metadata and credentials; a job must not talk to it"}},
    {"B45 Metadata.Google.Internal.",
     WithSink("http: {url: \"http://Metadata.Google.Internal./\"}\nformat: {json: {}}"),
     {"job.yaml:9:20: spec.sinks[0].http.url: \"Metadata.Google.Internal.\" is where clouds serve "
      "metadata and credentials; a job must not talk to it"}},
    {"B45 169.254.170.2",
     WithSink("http: {url: \"http://169.254.170.2/\"}\nformat: {json: {}}"),
     {"job.yaml:9:20: spec.sinks[0].http.url: \"169.254.170.2\" is where clouds serve metadata and "
      "credentials; a job must not talk to it"}},
    {"B45 169.254.169.254.:80",
     WithSink("http: {url: \"http://169.254.169.254.:80/\"}\nformat: {json: {}}"),
     {"job.yaml:9:20: spec.sinks[0].http.url: \"169.254.169.254.\" is where clouds serve metadata "
      "and credentials; a job must not talk to it"}},
    {"B45 0xA9FEA9FE",
     WithSink("http: {url: \"http://0xA9FEA9FE/\"}\nformat: {json: {}}"),
     {"job.yaml:9:20: spec.sinks[0].http.url: \"0xA9FEA9FE\" is where clouds serve metadata and "
      "credentials; a job must not talk to it"}},
    {"B45 2852039166",
     WithSink("http: {url: \"http://2852039166/\"}\nformat: {json: {}}"),
     {"job.yaml:9:20: spec.sinks[0].http.url: \"2852039166\" is where clouds serve metadata and "
      "credentials; a job must not talk to it"}},
    {"B45 [::ffff:169.254.169.254]",
     WithSink("http: {url: \"http://[::ffff:169.254.169.254]/\"}\nformat: {json: {}}"),
     {"job.yaml:9:20: spec.sinks[0].http.url: \"[::ffff:169.254.169.254]\" is where clouds serve "
      "metadata and credentials; a job must not talk to it"}},
    {"B45 [fe80::1]:80",
     WithSink("http: {url: \"http://[fe80::1]:80/\"}\nformat: {json: {}}"),
     {"job.yaml:9:20: spec.sinks[0].http.url: \"[fe80::1]\" is where clouds serve metadata and "
      "credentials; a job must not talk to it"}},
    {"B45 100.100.100.200",
     WithSink("http: {url: \"http://100.100.100.200/\"}\nformat: {json: {}}"),
     {"job.yaml:9:20: spec.sinks[0].http.url: \"100.100.100.200\" is where clouds serve metadata "
      "and credentials; a job must not talk to it"}},
    {"B45 169.253.1.1 is any address",
     WithSink("http: {url: \"http://169.253.1.1/\"}\nformat: {json: {}}"),
     {}},
    {"B45 [::1] is any address",
     WithSink("http: {url: \"http://[::1]/\"}\nformat: {json: {}}"),
     {}},
    {"B45 10.0.0.1 is any address",
     WithSink("http: {url: \"http://10.0.0.1/\"}\nformat: {json: {}}"),
     {}},
    {"B45 metadata.example is any address",
     WithSink("http: {url: \"http://metadata.example/\"}\nformat: {json: {}}"),
     {}},
};

TEST(KindErrorTest, NamesPlaceFoundAndExpected) {
  for (const BadJob& bad : kCases) EXPECT_EQ(Errors(bad.text), bad.errors) << bad.name;
}

}  // namespace
}  // namespace millrace::api
