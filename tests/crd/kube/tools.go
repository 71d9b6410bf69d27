//go:build tools

// Package kube pins the Kubernetes API server that the manifest is tried on.
package kube

import _ "k8s.io/kubernetes/cmd/kube-apiserver"
