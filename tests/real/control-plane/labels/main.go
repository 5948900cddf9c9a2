// Command labels answers, one JSON line for each JSON line read, what kubectl and the API server understand by a label selector as
// people write it.
//
// Question: {"selector": "a=b,!c", "labels": {"a": "b"}}.
// Answer: {"matches": bool}, or {"error": "why"}.
package main

import (
	"encoding/json"
	"fmt"
	"os"

	"bartizan.test/control-plane/lines"
	"k8s.io/apimachinery/pkg/labels"
)

type question struct {
	Selector string            `json:"selector"`
	Labels   map[string]string `json:"labels"`
}

type answer struct {
	Matches bool   `json:"matches"`
	Error   string `json:"error,omitempty"`
}

func match(line []byte) answer {
	var q question
	if err := json.Unmarshal(line, &q); err != nil {
		return answer{Error: err.Error()}
	}
	selector, err := labels.Parse(q.Selector)
	if err != nil {
		return answer{Error: err.Error()}
	}
	return answer{Matches: selector.Matches(labels.Set(q.Labels))}
}

func main() {
	if err := lines.Answer(os.Stdin, os.Stdout, match); err != nil {
		fmt.Fprintln(os.Stderr, "labels:", err)
		os.Exit(1)
	}
}
