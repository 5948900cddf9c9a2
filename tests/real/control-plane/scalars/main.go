// Command scalars answers, one JSON line for each JSON line read, what Kubernetes understands by a YAML text. It uses the
// conversion that the API server and kubectl of the pinned release use, and nothing of its own.
//
// Question: a JSON string (one YAML document), or {"yaml": "…", "base64": "…", "strict": bool, "stream": bool}.
// `base64` carries bytes that are not UTF-8; `strict` refuses duplicate keys as strict field validation does; `stream` splits the
// text into documents as kubectl does for a file.
// Answer: {"json": value}, {"documents": [value, …]} for a stream (with "error" beside it where reading stopped), or {"error": "why"}.
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"bartizan.test/control-plane/lines"
	"k8s.io/apimachinery/pkg/runtime"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"
)

type question struct {
	YAML   string `json:"yaml"`
	Base64 []byte `json:"base64"`
	Strict bool   `json:"strict"`
	Stream bool   `json:"stream"`
}

type converted struct {
	JSON json.RawMessage `json:"json"`
}

type streamed struct {
	Documents []json.RawMessage `json:"documents"`
	Error     string            `json:"error,omitempty"`
}

type failure struct {
	Error string `json:"error"`
}

// lookahead is how much of a stream kubectl reads to tell JSON from YAML.
const lookahead = 4096

func parse(line []byte) (question, error) {
	var q question
	if bytes.HasPrefix(bytes.TrimSpace(line), []byte(`"`)) {
		return q, json.Unmarshal(line, &q.YAML)
	}
	return q, json.Unmarshal(line, &q)
}

func convert(line []byte) (answer any) {
	defer func() {
		if trouble := recover(); trouble != nil {
			answer = failure{Error: fmt.Sprintf("panic: %v", trouble)}
		}
	}()
	q, err := parse(line)
	if err != nil {
		return failure{Error: err.Error()}
	}
	text := []byte(q.YAML)
	if q.Base64 != nil {
		text = q.Base64
	}
	if q.Stream {
		return documents(text)
	}
	toJSON := yaml.YAMLToJSON
	if q.Strict {
		toJSON = yaml.YAMLToJSONStrict
	}
	value, err := toJSON(text)
	if err != nil {
		return failure{Error: err.Error()}
	}
	return converted{JSON: value}
}

func documents(text []byte) streamed {
	out := streamed{Documents: []json.RawMessage{}}
	decoder := utilyaml.NewYAMLOrJSONDecoder(bytes.NewReader(text), lookahead)
	for {
		var document runtime.RawExtension
		if err := decoder.Decode(&document); errors.Is(err, io.EOF) {
			return out
		} else if err != nil {
			out.Error = err.Error()
			return out
		}
		// kubectl passes over documents that hold nothing.
		raw := bytes.TrimSpace(document.Raw)
		if len(raw) == 0 || bytes.Equal(raw, []byte("null")) {
			continue
		}
		out.Documents = append(out.Documents, bytes.Clone(raw))
	}
}

func run(in io.Reader, out io.Writer) error {
	return lines.Answer(in, out, convert)
}

func main() {
	if err := run(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
