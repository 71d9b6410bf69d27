//go:build tools

// Package helm pins the client that the chart is tried with.
package helm

import _ "helm.sh/helm/v3/cmd/helm"
