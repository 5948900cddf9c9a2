package main

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"os"
	"runtime"
	"time"

	"k8s.io/apiserver/pkg/authorization/authorizer"
)

// measured is what bench prints: times of one goroutine, memory after a collection.
type measured struct {
	// LoadMilliseconds is decoding the objects and filling caches.
	LoadMilliseconds float64 `json:"load_ms"`
	// HeapMegabytes is what the world holds.
	HeapMegabytes float64 `json:"heap_mb"`
	Questions     int     `json:"questions"`
	Allowed       int     `json:"allowed"`
	// ServedNanoseconds is one question with the informers' listers, as the API server asks.
	ServedNanoseconds float64 `json:"served_ns"`
	// ListedNanoseconds is one question with bindings in plain slices: the authorizer without the cost of its cache.
	ListedNanoseconds float64 `json:"listed_ns"`
}

// timeLimit bounds how long a run takes: with tens of thousands of bindings one question takes milliseconds.
const timeLimit = 20 * time.Second

func bench(worldFile, questionsFile string, out io.Writer) error {
	before := heap()
	w, loading, err := readWorld(worldFile)
	if err != nil {
		return err
	}
	m := measured{LoadMilliseconds: float64(loading.Microseconds()) / 1e3, HeapMegabytes: heap() - before}

	attributes, err := readQuestions(questionsFile)
	if err != nil {
		return err
	}
	m.Questions = len(attributes)
	m.ServedNanoseconds, _ = ask(w.served, attributes)
	m.ListedNanoseconds, m.Allowed = ask(w.chain, attributes)
	runtime.KeepAlive(w)
	return json.NewEncoder(out).Encode(m)
}

// readWorld also tells the time from text in memory to authorizers that are ready.
func readWorld(path string) (*world, time.Duration, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, 0, err
	}
	started := time.Now()
	var objects []json.RawMessage
	if err := json.Unmarshal(text, &objects); err != nil {
		return nil, 0, err
	}
	w, err := load(objects)
	return w, time.Since(started), err
}

// ask returns the time of one question and how many of the questions asked are allowed.
func ask(chain authorizer.Authorizer, attributes []authorizer.AttributesRecord) (float64, int) {
	ctx := context.Background()
	started, asked, allowed := time.Now(), 0, 0
	for _, record := range attributes {
		decision, _, _ := chain.Authorize(ctx, record)
		if decision == authorizer.DecisionAllow {
			allowed++
		}
		asked++
		if asked%64 == 0 && time.Since(started) > timeLimit {
			break
		}
	}
	return float64(time.Since(started).Nanoseconds()) / float64(max(asked, 1)), allowed
}

func readQuestions(path string) ([]authorizer.AttributesRecord, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	var out []authorizer.AttributesRecord
	scanner := bufio.NewScanner(file)
	scanner.Buffer(nil, 1<<20)
	for scanner.Scan() {
		var l line
		if err := json.Unmarshal(scanner.Bytes(), &l); err != nil {
			return nil, err
		}
		// A review that the API server refuses is no question to an authorizer.
		if record, err := review(l.Spec); err == nil {
			out = append(out, record)
		}
	}
	return out, scanner.Err()
}

// heap is what is held, in megabytes.
func heap() float64 {
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return float64(stats.HeapAlloc) / 1e6
}
