"""The command lines of the node's processes, in the order in which they start."""
import sys

from configuration import config_of
from layout import ADDRESS, API_PORT, CERTIFICATE, DATA, NODE, PROGRAMS, RUN, SERVICES

HERE = __file__.rsplit("/", 1)[0]
ETCD_PORT, ETCD_PEER_PORT = 23790, 23800


def etcd():
    client, peer = f"http://127.0.0.1:{ETCD_PORT}", f"http://127.0.0.1:{ETCD_PEER_PORT}"
    return [PROGRAMS / "etcd", "--data-dir", DATA / "etcd", "--unsafe-no-fsync", "--listen-client-urls", client, "--advertise-client-urls", client,
            "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster", f"default={peer}"]


def api_server():
    return [PROGRAMS / "kube-apiserver", "--etcd-servers", f"http://127.0.0.1:{ETCD_PORT}", "--bind-address", ADDRESS,
            "--advertise-address", ADDRESS, "--secure-port", str(API_PORT), "--cert-dir", CERTIFICATE.parent,
            "--token-auth-file", RUN / "tokens.csv", "--authorization-mode", "Node,RBAC", "--enable-admission-plugins", "NodeRestriction",
            "--service-account-issuer", "https://kubernetes.default.svc", "--service-account-key-file", RUN / "accounts.key",
            "--service-account-signing-key-file", RUN / "accounts.key", "--service-cluster-ip-range", SERVICES,
            "--kubelet-preferred-address-types", "InternalIP", "--endpoint-reconciler-type", "master-count"]


def controllers():
    return [PROGRAMS / "kube-controller-manager", "--kubeconfig", config_of("system:kube-controller-manager"), "--leader-elect=false",
            "--secure-port=0", "--service-account-private-key-file", RUN / "accounts.key", "--root-ca-file", CERTIFICATE,
            "--use-service-account-credentials", "--pvclaimbinder-sync-period=2s"]


def scheduler():
    return [PROGRAMS / "kube-scheduler", "--kubeconfig", config_of("system:kube-scheduler"), "--leader-elect=false", "--secure-port=0"]


def containerd():
    return ["/usr/bin/containerd", "--config", RUN / "containerd.toml"]


def kubelet():
    return [PROGRAMS / "kubelet", "--config", RUN / "kubelet.json", "--kubeconfig", config_of(f"system:node:{NODE}"),
            "--hostname-override", NODE, "--node-ip", ADDRESS, "--root-dir", DATA / "kubelet", "--cert-dir", RUN / "kubelet-certs"]


def proxy():
    return [PROGRAMS / "kube-proxy", "--kubeconfig", config_of("system:kube-proxy"), "--hostname-override", NODE, "--proxy-mode=iptables",
            "--masquerade-all", "--conntrack-max-per-core=0", "--conntrack-tcp-timeout-established=0", "--conntrack-tcp-timeout-close-wait=0",
            "--oom-score-adj=0", "--iptables-min-sync-period=200ms"]


def names():
    return [sys.executable, HERE + "/names.py"]
