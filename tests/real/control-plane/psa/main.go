// Command psa answers, one JSON line for each JSON line read, whether the Pod Security admission of the pinned Kubernetes
// release allows a pod. It evaluates exactly the checks that the API server's built-in plugin registers, at the policy
// version asked for, and it never fills in defaults: the pod is judged as it stands in the question.
//
// Question: {"id": any, "level": "baseline|restricted|privileged", "version": "latest|v1.N", "pod": {"metadata": {}, "spec": {}}}
// Answer:   {"id": any, "allowed": bool, "checks": [], "reasons": [], "details": []} or {"id": any, "error": "why"}
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"

	"bartizan.test/control-plane/lines"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
	kjson "sigs.k8s.io/json"
)

// question is one line of input. The pod stays raw so that it is decoded the way the API server decodes objects.
type question struct {
	ID      json.RawMessage `json:"id"`
	Level   string          `json:"level"`
	Version string          `json:"version"`
	Pod     json.RawMessage `json:"pod"`
}

// podLike is what Pod Security looks at in a Pod, a PodTemplate's template or any other object of that shape.
type podLike struct {
	metav1.ObjectMeta `json:"metadata"`
	Spec              corev1.PodSpec `json:"spec"`
}

type verdict struct {
	ID      json.RawMessage `json:"id"`
	Allowed bool            `json:"allowed"`
	Checks  []string        `json:"checks"`
	Reasons []string        `json:"reasons"`
	Details []string        `json:"details"`
}

type failure struct {
	ID    json.RawMessage `json:"id"`
	Error string          `json:"error"`
}

// idMark parts a check's identifier from its reason: the evaluator hands back results without saying whose they are.
const idMark = "\x00"

// namedChecks is the list of checks that the API server registers, each putting its identifier before its reason.
func namedChecks() []policy.Check {
	checks := policy.DefaultChecks()
	for i := range checks {
		id := string(checks[i].ID)
		versions := make([]policy.VersionedCheck, len(checks[i].Versions))
		for j, versioned := range checks[i].Versions {
			inner := versioned.CheckPod
			versioned.CheckPod = func(meta *metav1.ObjectMeta, spec *corev1.PodSpec) policy.CheckResult {
				result := inner(meta, spec)
				if !result.Allowed {
					result.ForbiddenReason = id + idMark + result.ForbiddenReason
				}
				return result
			}
			versions[j] = versioned
		}
		checks[i].Versions = versions
	}
	return checks
}

func judge(evaluator policy.Evaluator, line []byte) (answer any) {
	var q question
	defer func() {
		if trouble := recover(); trouble != nil {
			answer = failure{ID: q.ID, Error: fmt.Sprintf("panic: %v", trouble)}
		}
	}()
	if err := json.Unmarshal(line, &q); err != nil {
		return failure{ID: q.ID, Error: err.Error()}
	}
	level, err := api.ParseLevel(q.Level)
	if err != nil {
		return failure{ID: q.ID, Error: "level " + err.Error()}
	}
	version, err := api.ParseVersion(q.Version)
	if err != nil {
		return failure{ID: q.ID, Error: "version " + err.Error()}
	}
	var pod podLike
	if err := kjson.UnmarshalCaseSensitivePreserveInts(q.Pod, &pod); err != nil {
		return failure{ID: q.ID, Error: err.Error()}
	}

	out := verdict{ID: q.ID, Allowed: true, Checks: []string{}, Reasons: []string{}, Details: []string{}}
	for _, result := range evaluator.EvaluatePod(api.LevelVersion{Level: level, Version: version}, &pod.ObjectMeta, &pod.Spec) {
		if result.Allowed {
			continue
		}
		id, reason, _ := strings.Cut(result.ForbiddenReason, idMark)
		out.Allowed = false
		out.Checks = append(out.Checks, id)
		out.Reasons = append(out.Reasons, reason)
		out.Details = append(out.Details, result.ForbiddenDetail)
	}
	return out
}

func run(in io.Reader, out io.Writer) error {
	evaluator, err := policy.NewEvaluator(namedChecks(), nil)
	if err != nil {
		return err
	}
	return lines.Answer(in, out, func(line []byte) any { return judge(evaluator, line) })
}

func main() {
	if err := run(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
