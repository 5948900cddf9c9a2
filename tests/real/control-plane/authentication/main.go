// Command authentication answers, one JSON line for each JSON line read, whether the API server of the pinned release takes a text as
// its AuthenticationConfiguration. It decodes and validates with the server's own packages, and has nothing of its own.
//
// Question: {"base64": "…", "issuers": ["…"]}: the text, and the issuers of the server's own service accounts.
// Answer: {"taken": true}, or {"error": "why"}.
package main

import (
	"encoding/json"
	"fmt"
	"os"

	"bartizan.test/control-plane/lines"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apiserver/pkg/apis/apiserver"
	"k8s.io/apiserver/pkg/apis/apiserver/install"
	"k8s.io/apiserver/pkg/apis/apiserver/validation"
	authenticationcel "k8s.io/apiserver/pkg/authentication/cel"
)

type question struct {
	Base64  []byte   `json:"base64"`
	Issuers []string `json:"issuers"`
}

type failure struct {
	Error string `json:"error"`
}

type taken struct {
	Taken bool `json:"taken"`
}

var codecs serializer.CodecFactory

func init() {
	scheme := runtime.NewScheme()
	install.Install(scheme)
	codecs = serializer.NewCodecFactory(scheme, serializer.EnableStrict)
}

func judge(line []byte) (answer any) {
	defer func() {
		if trouble := recover(); trouble != nil {
			answer = failure{Error: fmt.Sprintf("panic: %v", trouble)}
		}
	}()
	var q question
	if err := json.Unmarshal(line, &q); err != nil {
		return failure{Error: err.Error()}
	}
	object, err := runtime.Decode(codecs.UniversalDecoder(), q.Base64)
	if err != nil {
		return failure{Error: err.Error()}
	}
	configuration, ok := object.(*apiserver.AuthenticationConfiguration)
	if !ok {
		return failure{Error: fmt.Sprintf("it is a %T", object)}
	}
	errs := validation.ValidateAuthenticationConfiguration(authenticationcel.NewDefaultCompiler(), configuration, q.Issuers)
	if err := errs.ToAggregate(); err != nil {
		return failure{Error: err.Error()}
	}
	return taken{Taken: true}
}

func main() {
	if err := lines.Answer(os.Stdin, os.Stdout, judge); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
