// Command certificates answers, one JSON line for each JSON line read, whether Go's verifier, with which the API server checks the
// servers that it calls, traces a server's certificate to authorities.
//
// Question: {"shown": "PEM, the server's own first", "trusted": "PEM", "host": "guard.shop.svc", "time": "2026-11-24T00:00:00Z"}.
// Answer: {"trusted": bool, "covers": bool, "why": "what speaks against it"}, or {"error": "why"}.
package main

import (
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"time"

	"bartizan.test/control-plane/lines"
)

type question struct {
	Shown   string    `json:"shown"`
	Trusted string    `json:"trusted"`
	Host    string    `json:"host"`
	Time    time.Time `json:"time"`
}

type answer struct {
	Trusted bool   `json:"trusted"`
	Covers  bool   `json:"covers"`
	Why     string `json:"why,omitempty"`
	Error   string `json:"error,omitempty"`
}

func certificates(text string) ([]*x509.Certificate, error) {
	var found []*x509.Certificate
	for rest := []byte(text); ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			return found, nil
		}
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		found = append(found, certificate)
	}
}

func verify(line []byte) answer {
	var q question
	if err := json.Unmarshal(line, &q); err != nil {
		return answer{Error: err.Error()}
	}
	shown, err := certificates(q.Shown)
	if err == nil && len(shown) == 0 {
		err = errors.New("nothing is shown")
	}
	if err != nil {
		return answer{Error: err.Error()}
	}
	trusted, err := certificates(q.Trusted)
	if err != nil {
		return answer{Error: err.Error()}
	}
	options := x509.VerifyOptions{Roots: x509.NewCertPool(), Intermediates: x509.NewCertPool(), CurrentTime: q.Time}
	for _, certificate := range trusted {
		options.Roots.AddCert(certificate)
	}
	for _, certificate := range shown[1:] {
		options.Intermediates.AddCert(certificate)
	}
	said := answer{Trusted: true, Covers: shown[0].VerifyHostname(q.Host) == nil}
	if _, err := shown[0].Verify(options); err != nil {
		said.Trusted, said.Why = false, err.Error()
	}
	return said
}

func main() {
	if err := lines.Answer(os.Stdin, os.Stdout, verify); err != nil {
		fmt.Fprintln(os.Stderr, "certificates:", err)
		os.Exit(1)
	}
}
