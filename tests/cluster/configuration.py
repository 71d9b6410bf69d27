"""The settings of every part of the node, as files in layout.RUN."""
import base64
import json
import secrets
import subprocess

from layout import ADDRESS, API_PORT, BRIDGE, CERTIFICATE, CONTAINERD, DATA, DOMAIN, KUBECONFIG, NODE, PAUSE, PODS, RUN

# Restricted OOM scores: containers may not be made less likely to be killed, which takes a right that many machines do not give.
CONTAINERD_TOML = f"""version = 2
root = "{DATA}/containerd"
state = "{RUN}/containerd"
disabled_plugins = ["io.containerd.internal.v1.tracing", "io.containerd.tracing.processor.v1.otlp"]
[grpc]
  address = "{CONTAINERD}"
[plugins."io.containerd.internal.v1.opt"]
  path = "{DATA}/opt"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{PAUSE}"
  restrict_oom_score_adj = true
  netns_mounts_under_state_dir = true
  disable_tcp_service = true
  stream_server_address = "127.0.0.1"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    default_runtime_name = "runc"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        SystemdCgroup = false
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "{RUN}/cni"
"""

NETWORK = {"cniVersion": "0.4.0", "name": "millrace", "plugins": [
    {"type": "bridge", "bridge": BRIDGE, "isGateway": True, "hairpinMode": True,
     "ipam": {"type": "host-local", "dataDir": str(RUN / "addresses"), "ranges": [[{"subnet": PODS, "gateway": ADDRESS}]],
              "routes": [{"dst": "0.0.0.0/0"}]}}]}

KUBELET = {
    "apiVersion": "kubelet.config.k8s.io/v1beta1", "kind": "KubeletConfiguration", "address": ADDRESS,
    "authentication": {"anonymous": {"enabled": True}, "webhook": {"enabled": False}}, "authorization": {"mode": "AlwaysAllow"},
    "cgroupDriver": "cgroupfs", "failSwapOn": False, "evictionHard": {}, "enforceNodeAllocatable": [],
    "containerRuntimeEndpoint": f"unix://{CONTAINERD}", "clusterDNS": [ADDRESS], "clusterDomain": DOMAIN, "oomScoreAdj": 0,
    "healthzPort": 0, "readOnlyPort": 0, "imageGCHighThresholdPercent": 100, "makeIPTablesUtilChains": False, "podLogsDir": str(DATA / "logs"),
    "volumePluginDir": str(DATA / "plugins"), "syncFrequency": "10s", "nodeStatusUpdateFrequency": "5s", "registerWithTaints": []}

# Who comes with a token, and the groups that give them their rights.
USERS = {"admin": "system:masters", "system:kube-controller-manager": "", "system:kube-scheduler": "", "system:kube-proxy": "",
         f"system:node:{NODE}": "system:nodes"}


def config_of(user):
    return KUBECONFIG if user == "admin" else RUN / f"{user.replace(':', '-')}.kubeconfig"


def write_kubeconfigs(tokens):
    """After the API server has made its certificate."""
    authority = base64.b64encode(CERTIFICATE.read_bytes()).decode()
    cluster = {"server": f"https://{ADDRESS}:{API_PORT}", "certificate-authority-data": authority}
    for user, token in tokens.items():
        path = config_of(user)
        path.touch(mode=0o600)
        path.write_text(json.dumps({
            "apiVersion": "v1", "kind": "Config", "current-context": "here", "clusters": [{"name": "here", "cluster": cluster}],
            "users": [{"name": user, "user": {"token": token}}], "contexts": [{"name": "here", "context": {"cluster": "here", "user": user}}]}))


def write():
    """All but the kubeconfigs; the tokens by user."""
    (RUN / "cni").mkdir()
    (RUN / "containerd.toml").write_text(CONTAINERD_TOML)
    (RUN / "cni/10-millrace.conflist").write_text(json.dumps(NETWORK))
    (RUN / "kubelet.json").write_text(json.dumps(KUBELET))
    subprocess.run(["openssl", "genrsa", "-out", RUN / "accounts.key", "2048"], check=True, capture_output=True)
    tokens = {user: secrets.token_hex(16) for user in USERS}
    path = RUN / "tokens.csv"
    path.touch(mode=0o600)
    path.write_text("".join(f'{token},{user},{user},"{USERS[user]}"\n' for user, token in tokens.items()))
    return tokens
