#include "crds/api/slots.h"

namespace millrace::api {

void Describe(Fields& fields, Resources& value) {
  StringMap(fields, Optional("requests", "Resources a worker is promised."), value.requests,
            kResourceName, kQuantity);
  StringMap(fields, Optional("limits", "Resources a worker may use."), value.limits, kResourceName,
            kQuantity);
}

void Describe(Fields& fields, Toleration& value) {
  Text(fields, Optional("key", "Key of the taint.", "any"), value.key, kNonEmptyText);
  Text(fields, Optional("operator", "Exists or Equal.", "Equal"), value.operation, kNonEmptyText);
  Text(fields, Optional("value", "Value of the taint.", "none"), value.value, kAnyText);
  Text(fields, Optional("effect", "Effect of the taint.", "any"), value.effect, kNonEmptyText);
  Int(fields, Optional("tolerationSeconds", "How long the taint is tolerated.", "for ever"),
      value.toleration_seconds, 0);
}

void Describe(Fields& fields, EnvVar& value) {
  Text(fields, Required("name", "Name of the variable.", "TZ"), value.name, kNonEmptyText);
  Text(fields, Optional("value", "Value of the variable; never a secret."), value.value, kAnyText);
}

void Describe(Fields& fields, PersistentVolumeClaimVolume& value) {
  Text(fields, Required("claimName", "Claim of the job's namespace.", "known"), value.claim_name,
       kKubernetesName);
}

void Describe(Fields& fields, ConfigMapVolume& value) {
  Text(fields, Required("name", "ConfigMap of the job's namespace.", "rules"), value.name,
       kKubernetesName);
}

void Describe(Fields& fields, SecretVolume& value) {
  Text(fields, Required("secretName", "Secret of the job's namespace.", "keys"), value.secret_name,
       kKubernetesName);
}

void Describe(Fields& fields, EmptyDirVolume& value) {
  Text(fields, Optional("sizeLimit", "Largest size of the folder.", "none", "1Gi"),
       value.size_limit, kQuantity);
}

void Describe(Fields& fields, Volume& value) {
  Text(fields, Required("name", "Name of the volume.", "data"), value.name, kObjectName);
  Text(fields, Required("mountPath", "Folder where it is mounted.", "/data"), value.mount_path,
       kPath);
  Bool(fields, Optional("readOnly", "Workers cannot write to it."), value.read_only);
  Union(fields, Required("", ""), value.kind,
        {{"persistentVolumeClaim", "A claimed volume."},
         {"configMap", "The keys of a ConfigMap as files."},
         {"secret", "The keys of a Secret as files."},
         {"emptyDir", "A folder that lives as long as the pod."}});
}

void Describe(Fields& fields, Pod& value) {
  StringMap(fields, Optional("labels", "Labels added to worker pods.", "{}"), value.labels,
            kNonEmptyText, kAnyText);
  StringMap(fields, Optional("annotations", "Annotations added to worker pods.", "{}"),
            value.annotations, kNonEmptyText, kAnyText);
  StringMap(fields, Optional("nodeSelector", "Labels a worker's node must have.", "{}"),
            value.node_selector, kNonEmptyText, kAnyText);
  List(fields, Optional("tolerations", "Taints that workers tolerate.", "[]"), value.tolerations);
  Text(fields, Optional("priorityClassName", "Priority class of the workers.", "none"),
       value.priority_class_name, kKubernetesName);
  Text(fields,
       Optional("serviceAccountName", "Service account of the workers.", "the operator's choice"),
       value.service_account_name, kKubernetesName);
  Interval(fields, Optional("terminationGracePeriod", "Time a worker has to hand over."),
           value.termination_grace_period, Duration(0));
  Enum(fields, Optional("topologySpread", "What the workers are spread over."),
       value.topology_spread, {"Zone", "Host", "Disabled"});
  List(fields, Optional("env", "Environment of the workers.", "[]"), value.env);
  List(fields, Optional("volumes", "Volumes mounted into the workers.", "[]"), value.volumes);
}

}  // namespace millrace::api
