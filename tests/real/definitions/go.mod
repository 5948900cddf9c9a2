// What other projects define for the API server: nothing is built of these modules, and their files are read where Go keeps them.
module bartizan.test/definitions

go 1.26.0

require (
	github.com/cilium/cilium v1.20.2
	github.com/projectcalico/calico v1.11.0-cni-plugin.0.20250813170300-a0db560f0520
	istio.io/api v1.32.0
	sigs.k8s.io/network-policy-api v0.2.0
)
