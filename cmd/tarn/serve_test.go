package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// servedCommand is a tarn serve that runs within the test.
type servedCommand struct {
	address string
	stop    func() (code int)
	words   *lockedWriter
	said    *bytes.Buffer
}

// startServe runs tarn serve and waits for its address.
func startServe(t *testing.T, args ...string) *servedCommand {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	out, in := io.Pipe()
	code := make(chan int, 1)
	s := &servedCommand{said: &bytes.Buffer{}}
	s.words = &lockedWriter{w: s.said}
	go func() {
		line := append([]string{"serve"}, args...)
		c := run(ctx, line, in, s.words)
		count(line, c)
		in.CloseWithError(io.ErrUnexpectedEOF)
		code <- c
	}()
	s.stop = sync.OnceValue(func() int {
		cancel()
		return <-code
	})
	t.Cleanup(func() { s.stop() })
	lines := bufio.NewReader(out)
	first, err := lines.ReadString('\n')
	if err != nil {
		t.Fatalf("tarn serve %q: %v: %s", args, err, s.text())
	}
	go io.Copy(io.Discard, lines)
	_, s.address, _ = strings.Cut(strings.TrimSpace(first), " at ")
	return s
}

// text is what the command has said on the standard error.
func (s *servedCommand) text() string {
	s.words.mu.Lock()
	defer s.words.mu.Unlock()
	return s.said.String()
}

// waitFor waits until the command has said something.
func (s *servedCommand) waitFor(t *testing.T, what string, times int) {
	t.Helper()
	for range 6000 {
		if strings.Count(s.text(), what) >= times {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Fatalf("the server says no %q: %s", what, s.text())
}

// askServed posts a body, and returns the status and the answer.
func askServed(t *testing.T, client *http.Client, url, body string, header ...string) (int, string) {
	t.Helper()
	r, err := http.NewRequest("POST", url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	reply, err := client.Do(r)
	if err != nil {
		t.Error(err)
		return 0, ""
	}
	defer reply.Body.Close()
	text, err := io.ReadAll(reply.Body)
	if err != nil {
		t.Error(err)
	}
	return reply.StatusCode, string(text)
}

const oneFlat = `{"size": 50, "city": "Bonn", "lift": true}`

// twoModels makes the models a.tarn and b.tarn in a folder, which becomes the working directory.
func twoModels(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	flats(t, dir, "flats.csv", 60)
	command(t, 0, quickFit("flats.csv", "price", "--drop", "sold", "--out", "a.tarn")...)
	command(t, 0, quickFit("flats.csv", "price", "--drop", "sold", "--out", "b.tarn", "--seed", "2")...)
}

// TestServe asks models at a port, at a socket, with secrets and with TLS.
func TestServe(t *testing.T) {
	twoModels(t)
	s := startServe(t, "a.tarn", "second=b.tarn", "--addr", "localhost:0", "--log", "json")
	status, first := askServed(t, http.DefaultClient, s.address+"predict", oneFlat)
	if status != 200 || !strings.Contains(first, `"prediction"`) {
		t.Errorf("/predict: %d %s", status, first)
	}
	if status, second := askServed(t, http.DefaultClient, s.address+"models/second/predict", oneFlat); status != 200 || second == first {
		t.Errorf("the second model: %d %s", status, second)
	}
	if status, text := askServed(t, http.DefaultClient, s.address+"predict", `{"size": "big", "city": "Bonn", "lift": true}`); status != 422 || !strings.Contains(text, `"column":"size"`) {
		t.Errorf("a word for a number: %d %s", status, text)
	}
	if code := s.stop(); code != 0 {
		t.Errorf("it ends with the code %d", code)
	}
	if log := s.text(); strings.Count(log, `"msg":"request"`) != 3 || strings.Contains(log, "Bonn") {
		t.Errorf("the log: %s", log)
	}

	// A taken port, and one that others reach.
	l, err := net.Listen("tcp", "localhost:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if _, message := command(t, 1, "serve", "a.tarn", "--addr", l.Addr().String()); !strings.Contains(message, "choose another address") {
		t.Errorf("a taken port: %s", message)
	}
	if s := startServe(t, "a.tarn", "--addr", ":0"); !strings.Contains(s.text(), "anyone who reaches this machine may ask") {
		t.Errorf("an open address: %s", s.text())
	}
	os.WriteFile("empty", nil, 0o600)
	for _, args := range [][]string{{"none.tarn"}, {"flats.csv"}, {"a.tarn", "--token-file", "none"}, {"a.tarn", "--token-file", "empty"}, {"a.tarn", "--cert", "a.tarn", "--key", "a.tarn"}, {"a.tarn", "--unix", "a.tarn"}} {
		if out, message := command(t, 1, append([]string{"serve"}, args...)...); out != "" || message == "" {
			t.Errorf("tarn serve %q: %s%s", args, out, message)
		}
	}

	// Secrets.
	os.WriteFile("tokens", []byte("secret-of-one\nsecret-of-two\n"), 0o600)
	s = startServe(t, "a.tarn", "--addr", "localhost:0", "--token-file", "tokens")
	if status, _ := askServed(t, http.DefaultClient, s.address+"predict", oneFlat); status != 401 {
		t.Errorf("without a secret: %d", status)
	}
	if status, text := askServed(t, http.DefaultClient, s.address+"predict", oneFlat, "Authorization", "Bearer secret-of-two"); status != 200 || text != first {
		t.Errorf("with a secret: %d %s", status, text)
	}

	// TLS.
	pool := certificate(t)
	s = startServe(t, "a.tarn", "--addr", "localhost:0", "--cert", "cert.pem", "--key", "key.pem")
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}}
	if status, text := askServed(t, client, s.address+"predict", oneFlat); status != 200 || text != first || !strings.HasPrefix(s.address, "https://localhost:") {
		t.Errorf("with TLS at %s: %d %s", s.address, status, text)
	}
	client.CloseIdleConnections()
}

// certificate writes a certificate for localhost and its key.
func certificate(t *testing.T) *x509.CertPool {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	form := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"localhost"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, form, form, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	os.WriteFile("cert.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600)
	os.WriteFile("key.pem", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}), 0o600)
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(parsed)
	return pool
}

// TestServeReload replaces the file of a model again and again, once by a broken one, while clients ask: each answer is whole, and that of one of the two models.
func TestServeReload(t *testing.T) {
	twoModels(t)
	a, _ := os.ReadFile("a.tarn")
	b, _ := os.ReadFile("b.tarn")
	replace := func(content []byte) {
		os.WriteFile("new", content, 0o600)
		if err := os.Rename("new", "m.tarn"); err != nil {
			t.Fatal(err)
		}
	}
	replace(a)
	s := startServe(t, "m.tarn", "--addr", "localhost:0", "--reload")
	_, ofA := askServed(t, http.DefaultClient, s.address+"predict", oneFlat)
	var asked, wrong atomic.Int64
	var seen sync.Map
	done := make(chan struct{})
	var clients sync.WaitGroup
	for range 4 {
		clients.Go(func() {
			client := &http.Client{Transport: &http.Transport{}}
			defer client.CloseIdleConnections()
			for {
				select {
				case <-done:
					return
				default:
				}
				status, text := askServed(t, client, s.address+"predict", oneFlat)
				if asked.Add(1); status != 200 {
					wrong.Add(1)
				}
				seen.Store(text, true)
			}
		})
	}
	for k := range 3 {
		replace(b)
		s.waitFor(t, "model m was read again", 2*k+1)
		replace(a)
		s.waitFor(t, "model m was read again", 2*k+2)
	}
	replace([]byte("broken"))
	s.waitFor(t, `model "m" stays as it was`, 1)
	if status, text := askServed(t, http.DefaultClient, s.address+"predict", oneFlat); status != 200 || text != ofA {
		t.Errorf("after a broken file: %d %s", status, text)
	}
	close(done)
	clients.Wait()
	answers := 0
	for range seen.Range {
		answers++
	}
	if wrong.Load() > 0 || answers != 2 || asked.Load() < 100 {
		t.Errorf("of %d requests %d got no answer, and there were %d different ones", asked.Load(), wrong.Load(), answers)
	}
}

// TestServeLoad asks from many clients at a time and counts answers that are lost or wrong. The server is ended while they ask: what was taken is answered, and all else refused.
func TestServeLoad(t *testing.T) {
	twoModels(t)
	s := startServe(t, "a.tarn", "--addr", "localhost:0")
	var want [100]float64
	body := func(i int) string { return fmt.Sprintf(`{"size": %d, "city": "Ulm", "lift": false}`, 20+i) }
	prediction := func(text string) float64 {
		var a struct{ Prediction float64 }
		if err := json.Unmarshal([]byte(text), &a); err != nil {
			t.Errorf("%q: %v", text, err)
		}
		return a.Prediction
	}
	for i := range want {
		_, text := askServed(t, http.DefaultClient, s.address+"predict", body(i))
		want[i] = prediction(text)
	}
	var answered, wrong, lost atomic.Int64
	var clients sync.WaitGroup
	const each, many = 125, 16
	for c := range many {
		clients.Go(func() {
			client := &http.Client{Transport: &http.Transport{}}
			defer client.CloseIdleConnections()
			for k := range each {
				i := (c*31 + k) % len(want)
				status, text := askServed(t, client, s.address+"predict", body(i))
				if status != 200 {
					lost.Add(1)
				} else if d := prediction(text) - want[i]; d > 1e-3 || d < -1e-3 {
					wrong.Add(1)
				} else {
					answered.Add(1)
				}
			}
		})
	}
	clients.Wait()
	if lost.Load() > 0 || wrong.Load() > 0 || answered.Load() != each*many {
		t.Errorf("%d answers, %d lost, %d wrong", answered.Load(), lost.Load(), wrong.Load())
	}

	// Until it ends.
	var right, refused, other atomic.Int64
	for c := range many {
		clients.Go(func() {
			client := &http.Client{Transport: &http.Transport{}}
			defer client.CloseIdleConnections()
			for k := 0; ; k++ {
				i := (c + k) % len(want)
				reply, err := client.Post(s.address+"predict", "application/json", strings.NewReader(body(i)))
				if err != nil { // the port is closed, or a connection that was kept
					return
				}
				text, err := io.ReadAll(reply.Body)
				reply.Body.Close()
				switch d := 0.0; {
				case err != nil:
					other.Add(1)
				case reply.StatusCode == 503:
					refused.Add(1)
				case reply.StatusCode == 200:
					if d = prediction(string(text)) - want[i]; d > 1e-3 || d < -1e-3 {
						other.Add(1)
					}
					right.Add(1)
				default:
					other.Add(1)
				}
			}
		})
	}
	for right.Load() < 200 {
		time.Sleep(time.Millisecond)
	}
	if code := s.stop(); code != 0 {
		t.Errorf("it ends with the code %d: %s", code, s.text())
	}
	clients.Wait()
	if other.Load() > 0 {
		t.Errorf("%d right answers, %d refused, %d broken", right.Load(), refused.Load(), other.Load())
	}
}
